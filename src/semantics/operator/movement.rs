//! Operators that move, select or join elements.

use super::operators;

operators! {
    "CenterCropPad" 18..:     First,       [T0],   SameRank,  Pick,   Any,       Values, Other;
    "Compress" 9..28:         First,       [T0],   Other,     Pick,   Any,       Values, Other;
    "Concat" 1..:             All,         [ALL],  Concat,    Move,   Joint,     Values, Other;
    "DepthToSpace" 1..28:     First,       [T0],   SameRank,  Move,   Any,       Values, Other;
    "Expand" 8..:             First,       [T0],   Expand,    Repeat, Any,       Values, Other;
    "Flatten" 1..:            First,       [T0],   Flatten,   Move,   Any,       Values, Other;
    "Gather" 1..:             First,       [T0],   Gather,    Pick,   Any,       Values, Other;
    "GatherElements" 11..:    First,       [T0],   OfSecond,  Pick,   Any,       Values, Other;
    "GatherND" 11..:          First,       [T0],   GatherNd,  Pick,   Any,       Values, Other;
    "Identity" 1..:           First,       [T0],   Same,      Copy,   Any,       Values, Other;
    "Pad" 1..:                First,       [T0],   Pad,       Pick,   Any,       Values, Other;
    "Reshape" 1..:            First,       [T0],   Reshape,   Move,   Any,       Values, Other;
    "Resize" 10..:            First,       [T0],   SameRank,  Mix,    Nonlinear, Values, Other;
    "ReverseSequence" 10..28: First,       [T0],   Same,      Move,   Any,       Values, Other;
    "Scatter" 9..11:          Of(&[0, 2]), [T0],   Same,      Mix,    Joint,     Values, Other;
    "ScatterElements" 11..:   Of(&[0, 2]), [T0],   Same,      Mix,    Nonlinear, Values, Other;
    "ScatterND" 11..:         Of(&[0, 2]), [T0],   Same,      Mix,    Nonlinear, Values, Other;
    "Slice" 1..:              First,       [T0],   Slice,     Pick,   Any,       Values, Other;
    "SpaceToDepth" 1..28:     First,       [T0],   SameRank,  Move,   Any,       Values, Other;
    "Split" 1..:              First,       [EACH], Split,     Pick,   Any,       Values, Other;
    "Squeeze" 1..:            First,       [T0],   Squeeze,   Move,   Any,       Values, Other;
    "TensorScatter" 24..:     Of(&[0, 1]), [T0],   Same,      Mix,    Joint,     Values, Other;
    "Tile" 1..:               First,       [T0],   Tile,      Repeat, Any,       Values, Other;
    "Transpose" 1..:          First,       [T0],   Permute,   Move,   Any,       Values, Other;
    "Trilu" 14..:             First,       [T0],   Same,      Map,    Any,       Values, Other;
    "Unsqueeze" 1..:          First,       [T0],   Unsqueeze, Move,   Any,       Values, Other;
    "Upsample" 1..10:         First,       [T0],   SameRank,  Mix,    Any,       Values, Other;
}

//! Operators that move, select or join elements.

use super::operators;

operators! {
    "CenterCropPad" 18..:     First,       [T0],   SameRank,  Pick,   Any,       Values, Always,    Other;
    "Compress" 9..28:         First,       [T0],   Other,     Pick,   Any,       Values, Always,    Other;
    "Concat" 1..:             All,         [ALL],  Concat,    Move,   Joint,     Values, Always,    Other;
    "DepthToSpace" 1..28:     First,       [T0],   Blocks,    Move,   Any,       Values, Always,    Other;
    "Expand" 8..:             First,       [T0],   Expand,    Repeat, Any,       Values, Always,    Other;
    "Flatten" 1..:            First,       [T0],   Flatten,   Move,   Any,       Values, Always,    Other;
    "Gather" 1..:             First,       [T0],   Gather,    Pick,   Any,       Values, Always,    Other;
    "GatherElements" 11..:    First,       [T0],   OfSecond,  Pick,   Any,       Values, Always,    Other;
    "GatherND" 11..:          First,       [T0],   GatherNd,  Pick,   Any,       Values, Always,    Other;
    "Identity" 1..:           First,       [T0],   Same,      Copy,   Any,       Values, Always,    Other;
    "Pad" 1..:                First,       [T0],   Pad,       Pick,   Any,       Values, Always,    Other;
    "Reshape" 1..:            First,       [T0],   Reshape,   Move,   Any,       Values, Always,    Other;
    "Resize" 10..:            First,       [T0],   Resize,    Mix,    Nonlinear, Values, First,     Other;
    "ReverseSequence" 10..28: First,       [T0],   Same,      Move,   Any,       Values, Always,    Other;
    "Scatter" 9..11:          Of(&[0, 2]), [T0],   Same,      Mix,    Joint,     Values, Always,    Other;
    "ScatterElements" 11..:   Of(&[0, 2]), [T0],   Same,      Mix,    Nonlinear, Values, Always,    Other;
    "ScatterND" 11..:         Of(&[0, 2]), [T0],   Same,      Mix,    Nonlinear, Values, Always,    Other;
    "Slice" 1..:              First,       [T0],   Slice,     Pick,   Any,       Values, Always,    Other;
    "SpaceToDepth" 1..28:     First,       [T0],   Blocks,    Move,   Any,       Values, Always,    Other;
    "Split" 1..:              First,       [EACH], Split,     Pick,   Any,       Values, Always,    Other;
    "Squeeze" 1..:            First,       [T0],   Squeeze,   Move,   Any,       Values, Always,    Other;
    "TensorScatter" 24..:     Of(&[0, 1]), [T0],   Same,      Mix,    Joint,     Values, Always,    Other;
    "Tile" 1..:               First,       [T0],   Tile,      Repeat, Any,       Values, Always,    Other;
    "Transpose" 1..:          First,       [T0],   Permute,   Move,   Any,       Values, Always,    Other;
    "Trilu" 14..:             First,       [T0],   Same,      Map,    Any,       Values, Always,    Other;
    "Unsqueeze" 1..:          First,       [T0],   Unsqueeze, Move,   Any,       Values, Always,    Other;
    "Upsample" 1..10:         First,       [T0],   Resize,    Mix,    Any,       Values, First,     Other;
}

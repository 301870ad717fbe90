//! Operators without data, control flow, sequences and text.

use super::operators;

operators! {
    "Bernoulli" 15..:            First,       [LIKE],                    Same,      Map,  Nonlinear, Values, Never,     Draw(Bernoulli);
    "BlackmanWindow" 17..:       Nothing,     [WINDOW],                  Rank(1),   Make, Nonlinear, Values, Never,     Other;
    "ConcatFromSequence" 11..:   All,         [INSIDE],                  Other,     Move, Joint,     Values, Always,    Other;
    "Constant" 1..:              Nothing,     [CONSTANT],                Constant,  Make, Nonlinear, Values, Never,     Constant;
    "ConstantOfShape" 9..:       Nothing,     [FILLED],                  Filled,    Make, Nonlinear, Values, Never,     Constant;
    "EyeLike" 9..:               Nothing,     [LIKE],                    Same,      Make, Nonlinear, Shape,  Always,    Other;
    "HammingWindow" 17..:        Nothing,     [WINDOW],                  Rank(1),   Make, Nonlinear, Values, Never,     Other;
    "HannWindow" 17..:           Nothing,     [WINDOW],                  Rank(1),   Make, Nonlinear, Values, Never,     Other;
    "If" 1..:                    Nothing,     [BODIES],                  Other,     Mix,  Nonlinear, Values, Always,    Control(If);
    "ImageDecoder" 20..:         Nothing,     [UINT8],                   Rank(3),   Make, Nonlinear, Values, Never,     Other;
    "Loop" 1..:                  From(2),     [BODIES],                  Other,     Mix,  Nonlinear, Values, Always,    Control(Loop);
    "MelWeightMatrix" 17..:      Nothing,     [WINDOW],                  Rank(2),   Make, Nonlinear, Values, Never,     Other;
    "Multinomial" 7..:           First,       [CLASS],                   Sampled,   Mix,  Nonlinear, Values, Never,     Draw(Multinomial);
    "NonMaxSuppression" 10..:    All,         [INT64],                   Rank(2),   Mix,  Nonlinear, Values, Never,     Other;
    "NonZero" 9..:               First,       [INT64],                   Rank(2),   Mix,  Nonlinear, Values, Never,     Other;
    "OneHot" 9..28:              Nothing,     [T2],                      OneHot,    Mix,  Nonlinear, Values, Never,     Other;
    "Optional" 15..28:           First,       [AROUND],                  Other,     Move, Any,       Values, Always,    Other;
    "OptionalGetElement" 15..28: First,       [INSIDE],                  Other,     Move, Any,       Values, Always,    Other;
    "OptionalHasElement" 15..28: Nothing,     [BOOL],                    Scalar,    Make, Nonlinear, Shape,  Always,    Other;
    "RandomNormal" 1..:          Nothing,     [DTYPE],                   Drawn,     Make, Nonlinear, Values, Never,     Draw(Normal);
    "RandomNormalLike" 1..:      Nothing,     [LIKE],                    Same,      Make, Nonlinear, Shape,  Always,    Draw(Normal);
    "RandomUniform" 1..:         Nothing,     [DTYPE],                   Drawn,     Make, Nonlinear, Values, Never,     Draw(Uniform);
    "RandomUniformLike" 1..:     Nothing,     [LIKE],                    Same,      Make, Nonlinear, Shape,  Always,    Draw(Uniform);
    "Range" 11..27:              Nothing,     [ALL],                     Range,     Make, Nonlinear, Values, Never,     Other;
    "RegexFullMatch" 20..:       First,       [BOOL],                    Same,      Map,  Nonlinear, Values, Never,     Other;
    "Scan" 8..:                  All,         [BODIES],                  Other,     Mix,  Nonlinear, Values, Always,    Control(Scan);
    "SequenceAt" 11..:           First,       [INSIDE],                  Other,     Pick, Any,       Values, Always,    Other;
    "SequenceConstruct" 11..:    All,         [AROUND],                  Other,     Move, Any,       Values, Always,    Other;
    "SequenceEmpty" 11..:        Nothing,     [EMPTY],                   Other,     Make, Nonlinear, Values, Always,    Other;
    "SequenceErase" 11..:        First,       [T0],                      Other,     Pick, Any,       Values, Always,    Other;
    "SequenceInsert" 11..:       Of(&[0, 1]), [T0],                      Other,     Move, Any,       Values, Always,    Other;
    "SequenceLength" 11..:       Nothing,     [INT64],                   Scalar,    Make, Nonlinear, Shape,  Always,    Other;
    "SequenceMap" 17..:          All,         [MAPPED],                  Other,     Mix,  Nonlinear, Values, Always,    Control(SequenceMap);
    "Shape" 1..:                 Nothing,     [INT64],                   Dimensions, Make, Nonlinear, Shape,  Always,    Other;
    "Size" 1..:                  Nothing,     [INT64],                   Scalar,    Make, Nonlinear, Shape,  Always,    Other;
    "SplitToSequence" 11..:      First,       [AROUND],                  Other,     Pick, Any,       Values, Always,    Other;
    "StringConcat" 20..:         All,         [STRING],                  Broadcast, Map,  Nonlinear, Values, Never,     Other;
    "StringNormalizer" 10..:     First,       [STRING],                  Other,     Map,  Nonlinear, Values, Never,     Other;
    "StringSplit" 20..:          First,       [STRING, INT64],           Other,     Map,  Nonlinear, Values, Never,     Other;
    "TfIdfVectorizer" 9..:       First,       [FLOAT],                   Other,     Mix,  Nonlinear, Values, Never,     Other;
    "Unique" 11..28:             First,       [T0, INT64, INT64, INT64], Other,     Mix,  Nonlinear, Values, Never,     Other;
}

//! Layers with weights, normalizations and transforms.

use super::operators;

operators! {
    "AffineGrid" 20..:                First,          [T0],                  Other,         Mix, Nonlinear, Values, Always,    Other;
    "Attention" 23..:                 Of(&[0, 1, 2]), [T0, T1, T2, T0],      SameRank,      Mix, Nonlinear, Values, Always,    Layer(Attention);
    "BatchNormalization" 1..:         First,          [T0, T3, T3, T3, T3],  Same,          Map, Nonlinear, Values, Always,    Normalisation;
    "Col2Im" 18..:                    First,          [T0],                  Other,         Mix, Any,       Values, Always,    Other;
    "Conv" 1..:                       Of(&[0, 1]),    [ALL],                 Conv,          Mix, Bilinear,  Values, Always,    Layer(Convolution);
    "ConvInteger" 10..:               Of(&[0, 1]),    [INT32],               Conv,          Mix, Bilinear,  Values, Never,     Layer(Convolution);
    "ConvTranspose" 1..:              Of(&[0, 1]),    [ALL],                 ConvTranspose, Mix, Bilinear,  Values, Always,    Layer(Convolution);
    "DFT" 17..:                       First,          [T0],                  SameRank,      Mix, Any,       Values, Always,    Other;
    "DeformConv" 19..:                Of(&[0, 1]),    [T0],                  SameRank,      Mix, Bilinear,  Values, Always,    Layer(Convolution);
    "Det" 11..:                       First,          [T0],                  Other,         Mix, Nonlinear, Values, Always,    Other;
    "Dropout" 1..10:                  First,          [T0, T0],              Same,          Map, Any,       Values, First,     Dropout;
    "Dropout" 10..:                   First,          [T0, BOOL],            Same,          Map, Any,       Values, First,     Dropout;
    "Einsum" 12..28:                  All,            [ALL],                 Other,         Mix, Bilinear,  Values, Always,    Layer(Dense);
    "GRU" 1..:                        First,          [GATES, GATES],        Recurrent,     Mix, Nonlinear, Values, Always,    Layer(Recurrent);
    "Gemm" 1..:                       Of(&[0, 1]),    [ALL],                 Gemm,          Mix, Bilinear,  Values, Always,    Layer(Dense);
    "GridSample" 16..:                First,          [T0],                  SameRank,      Mix, Any,       Values, Grid,      Other;
    "GroupNormalization" 18..:        First,          [T0],                  Same,          Mix, Nonlinear, Values, Always,    Normalisation;
    "Hardmax" 1..:                    First,          [T0],                  Same,          Mix, Nonlinear, Values, Never,     Other;
    "InstanceNormalization" 1..:      First,          [T0],                  Same,          Mix, Nonlinear, Values, Always,    Normalisation;
    "LRN" 1..:                        First,          [T0],                  Same,          Mix, Nonlinear, Values, Always,    Normalisation;
    "LSTM" 1..:                       First,          [GATES, GATES, GATES], Recurrent,     Mix, Nonlinear, Values, Always,    Layer(Recurrent);
    "LayerNormalization" 17..:        First,          [T0, STASH, STASH],    Same,          Mix, Nonlinear, Values, Always,    Normalisation;
    "LogSoftmax" 1..:                 First,          [T0],                  Same,          Mix, Nonlinear, Values, Always,    Softmax;
    "LpNormalization" 1..:            First,          [T0],                  Same,          Mix, Nonlinear, Values, Always,    Normalisation;
    "MatMul" 1..:                     All,            [ALL],                 MatMul,        Mix, Bilinear,  Values, Always,    Layer(Dense);
    "MatMulInteger" 10..:             Of(&[0, 1]),    [INT32],               MatMul,        Mix, Bilinear,  Values, Never,     Layer(Dense);
    "MeanVarianceNormalization" 9..:  First,          [T0],                  Same,          Mix, Nonlinear, Values, Always,    Normalisation;
    "NegativeLogLikelihoodLoss" 12..: First,          [T0],                  Other,         Mix, Nonlinear, Values, Always,    Other;
    "QLinearConv" 10..:               Of(&[0, 3]),    [T7],                  SameRank,      Mix, Nonlinear, Values, Never,     Layer(Convolution);
    "QLinearMatMul" 10..:             Of(&[0, 3]),    [T7],                  Other,         Mix, Nonlinear, Values, Never,     Layer(Dense);
    "RMSNormalization" 23..:          First,          [T1],                  Same,          Mix, Nonlinear, Values, Always,    Normalisation;
    "RNN" 1..:                        First,          [GATES, GATES],        Recurrent,     Mix, Nonlinear, Values, Always,    Layer(Recurrent);
    "RotaryEmbedding" 23..:           First,          [T0],                  Same,          Mix, Any,       Values, Always,    Other;
    "STFT" 17..:                      First,          [T0],                  Other,         Mix, Any,       Values, Always,    Other;
    "Softmax" 1..:                    First,          [T0],                  Same,          Mix, Nonlinear, Values, Always,    Softmax;
    "SoftmaxCrossEntropyLoss" 12..:   First,          [T0, T0],              Other,         Mix, Nonlinear, Values, Always,    Other;
}

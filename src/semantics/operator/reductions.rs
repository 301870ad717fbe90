//! Reductions, pools and cumulative operators.

use super::operators;

operators! {
    "ArgMax" 1..:            First, [INT64],     ReduceAxis, Mix,   Nonlinear, Values, Never,     Other;
    "ArgMin" 1..:            First, [INT64],     ReduceAxis, Mix,   Nonlinear, Values, Never,     Other;
    "AveragePool" 1..:       First, [T0],        Pool,       Mix,   Any,       Values, Always,    Pool;
    "CumProd" 26..:          First, [T0],        Same,       Along, Nonlinear, Values, Always,    Other;
    "CumSum" 11..:           First, [T0],        Same,       Along, Any,       Values, Always,    Other;
    "GlobalAveragePool" 1..: First, [T0],        GlobalPool, Mix,   Any,       Values, Always,    Pool;
    "GlobalLpPool" 1..:      First, [T0],        GlobalPool, Mix,   Positive,  Values, Always,    Pool;
    "GlobalMaxPool" 1..:     First, [T0],        GlobalPool, Mix,   Positive,  Values, Always,    Pool;
    "LpPool" 1..:            First, [T0],        Pool,       Mix,   Positive,  Values, Always,    Pool;
    "MaxPool" 1..:           First, [T0, INT64], Pool,       Mix,   Positive,  Values, Unindexed, Pool;
    "MaxRoiPool" 1..:        First, [T0],        Other,      Mix,   Positive,  Values, First,     Pool;
    "MaxUnpool" 9..:         First, [T0],        SameRank,   Mix,   Any,       Values, Always,    Other;
    "ReduceL1" 1..:          First, [T0],        Reduce,     Mix,   Positive,  Values, Always,    Other;
    "ReduceL2" 1..:          First, [T0],        Reduce,     Mix,   Positive,  Values, Always,    Other;
    "ReduceLogSum" 1..28:    First, [T0],        Reduce,     Mix,   Nonlinear, Values, Always,    Other;
    "ReduceLogSumExp" 1..28: First, [T0],        Reduce,     Mix,   Nonlinear, Values, Always,    Other;
    "ReduceMax" 1..:         First, [T0],        Reduce,     Mix,   Positive,  Values, Always,    Other;
    "ReduceMean" 1..:        First, [T0],        Reduce,     Mix,   Any,       Values, Always,    Other;
    "ReduceMin" 1..:         First, [T0],        Reduce,     Mix,   Positive,  Values, Always,    Other;
    "ReduceProd" 1..:        First, [T0],        Reduce,     Mix,   Nonlinear, Values, Always,    Other;
    "ReduceSum" 1..:         First, [T0],        Reduce,     Mix,   Any,       Values, Always,    Other;
    "ReduceSumSquare" 1..:   First, [T0],        Reduce,     Mix,   Nonlinear, Values, Always,    Other;
    "RoiAlign" 10..:         First, [T0],        Other,      Mix,   Positive,  Values, First,     Pool;
    "TopK" 1..:              First, [T0, INT64], SameRank,   Mix,   Nonlinear, Values, Unindexed, Other;
}

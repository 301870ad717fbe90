//! Reductions, pools and cumulative operators.

use super::operators;

operators! {
    "ArgMax" 1..:            First, [INT64],     ReduceAxis, Mix,   Nonlinear, Values, Other;
    "ArgMin" 1..:            First, [INT64],     ReduceAxis, Mix,   Nonlinear, Values, Other;
    "AveragePool" 1..:       First, [T0],        Pool,       Mix,   Any,       Values, Pool;
    "CumProd" 26..:          First, [T0],        Same,       Along, Nonlinear, Values, Other;
    "CumSum" 11..:           First, [T0],        Same,       Along, Any,       Values, Other;
    "GlobalAveragePool" 1..: First, [T0],        GlobalPool, Mix,   Any,       Values, Pool;
    "GlobalLpPool" 1..:      First, [T0],        GlobalPool, Mix,   Positive,  Values, Pool;
    "GlobalMaxPool" 1..:     First, [T0],        GlobalPool, Mix,   Positive,  Values, Pool;
    "LpPool" 1..:            First, [T0],        Pool,       Mix,   Positive,  Values, Pool;
    "MaxPool" 1..:           First, [T0, INT64], Pool,       Mix,   Positive,  Values, Pool;
    "MaxRoiPool" 1..:        First, [T0],        Rank(4),    Mix,   Positive,  Values, Pool;
    "MaxUnpool" 9..:         First, [T0],        SameRank,   Mix,   Any,       Values, Other;
    "ReduceL1" 1..:          First, [T0],        Reduce,     Mix,   Positive,  Values, Other;
    "ReduceL2" 1..:          First, [T0],        Reduce,     Mix,   Positive,  Values, Other;
    "ReduceLogSum" 1..28:    First, [T0],        Reduce,     Mix,   Nonlinear, Values, Other;
    "ReduceLogSumExp" 1..28: First, [T0],        Reduce,     Mix,   Nonlinear, Values, Other;
    "ReduceMax" 1..:         First, [T0],        Reduce,     Mix,   Positive,  Values, Other;
    "ReduceMean" 1..:        First, [T0],        Reduce,     Mix,   Any,       Values, Other;
    "ReduceMin" 1..:         First, [T0],        Reduce,     Mix,   Positive,  Values, Other;
    "ReduceProd" 1..:        First, [T0],        Reduce,     Mix,   Nonlinear, Values, Other;
    "ReduceSum" 1..:         First, [T0],        Reduce,     Mix,   Any,       Values, Other;
    "ReduceSumSquare" 1..:   First, [T0],        Reduce,     Mix,   Nonlinear, Values, Other;
    "RoiAlign" 10..:         First, [T0],        Rank(4),    Mix,   Positive,  Values, Pool;
    "TopK" 1..:              First, [T0, INT64], TopK,       Mix,   Nonlinear, Values, Other;
}

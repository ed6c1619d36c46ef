"""One linear program in HiGHS, repeatable: one thread, fixed seed, limited in iterations and never in time."""

from dataclasses import dataclass

import highspy
import numpy as np
import scipy.sparse as sp

from adms.core.telemetry import FloatArray

ITERATION_LIMIT = 20_000
SEED = 1


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """An optimal point of `LinearProgram`."""

    x: FloatArray
    """[column]."""


@dataclass(frozen=True, kw_only=True)
class NotOptimal:
    """No optimal point; the reason is the solver's own word."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class LinearProgram:
    """Minimise cost @ x with lower <= x <= upper and row_lower <= rows @ x <= row_upper. Infinities are allowed."""

    cost: FloatArray
    lower: FloatArray
    upper: FloatArray
    rows: sp.csr_matrix
    """[row, column]."""
    row_lower: FloatArray
    row_upper: FloatArray


def minimise(program: LinearProgram) -> Optimum | NotOptimal:
    """Solve with the dual simplex of HiGHS (Huangfu and Hall 2018, doi:10.1007/s12532-017-0130-5)."""
    matrix = sp.csr_matrix(program.rows)
    matrix.sort_indices()
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_ = program.cost
    lp.col_lower_, lp.col_upper_ = program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_row_, lp.a_matrix_.num_col_ = matrix.shape
    lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = matrix.data.astype(np.float64)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", SEED)
    solver.setOptionValue("solver", "simplex")
    solver.setOptionValue("simplex_iteration_limit", ITERATION_LIMIT)
    solver.passModel(lp)
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        return NotOptimal(reason=solver.modelStatusToString(status))
    x = np.array(solver.getSolution().col_value, dtype=np.float64)
    # The simplex may leave a bound by its tolerance; a capability is never left.
    x = np.clip(x, program.lower, program.upper)
    return Optimum(x=x)

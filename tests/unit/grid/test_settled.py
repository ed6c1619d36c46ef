"""What is changed of another tool's network so that the model takes it, each change told."""

from dataclasses import replace

from adms.core.ids import BusId, ElementId
from adms.grid.model import BranchKind, Der, DerKind, NetworkModel, NodeRef
from adms.grid.settled import settled
from adms.grid.validation import check
from tests.unit.grid.small_networks import bus, line, load, network, nodes, source, switch, two_ends, two_feeders


def _notes_of(model: NetworkModel, element: str) -> list[str]:
    return [note for note in model.notes if note.startswith(f"{element}: ")]


def test_a_sound_model_stays_as_it_is() -> None:
    assert settled(two_feeders()) == two_feeders()


def test_a_line_between_different_phases_is_a_reactor_with_the_same_primitive() -> None:
    model = two_feeders()
    crossed = replace(line("line.be", "b", "e", (1,)), terminals=(nodes("b", (2,)), nodes("e", (1,))))
    done = settled(replace(model, branches=(*model.branches, crossed)))
    assert check(done) == ()
    assert done.branches[-1] == replace(crossed, kind=BranchKind.REACTOR)
    assert _notes_of(done, "line.be")


def test_a_line_of_negative_reactance_is_a_reactor() -> None:
    model = two_feeders()
    y = two_ends(1.0, count=3)
    active = replace(model.branches[1], y_primitive_siemens=replace(y, im=y.re))
    done = settled(replace(model, branches=(model.branches[0], active, *model.branches[2:])))
    assert check(done) == ()
    assert done.branches[1].kind is BranchKind.REACTOR


def test_a_closed_switch_between_different_phases_is_a_reactor_and_an_open_one_is_left_out() -> None:
    model = two_feeders()
    ends = (nodes("b", (2,)), nodes("c", (3,)))
    closed = replace(switch("switch.c", "b", "c", (2,)), terminals=ends)
    opened = replace(switch("switch.o", "b", "c", (2,), closed=False), terminals=ends)
    done = settled(replace(model, branches=(*model.branches, closed, opened)))
    assert check(done) == ()
    assert [b.id for b in done.branches if b.kind is BranchKind.REACTOR] == ["switch.c"]
    assert "switch.o" not in {b.id for b in done.branches}
    assert _notes_of(done, "switch.c")
    assert _notes_of(done, "switch.o")


def test_a_dead_bus_takes_the_nominal_voltage_of_what_it_can_be_switched_to() -> None:
    # Decks compute voltage bases from a solution, in which a dead bus has no voltage.
    dead = (replace(bus("y"), v_base_v=120.0), replace(bus("z"), v_base_v=120.0))
    model = network(
        buses=(bus("a"), bus("b"), *dead),
        sources=(source("source.s", "a"),),
        branches=(line("line.ab", "a", "b"), switch("switch.by", "b", "y", closed=False), line("line.yz", "y", "z")),
        loads=(load("load.z", "z"),),
    )
    done = settled(model)
    assert [b.v_base_v for b in done.buses] == [2400.0] * 4
    assert check(done) == ()
    assert len(_notes_of(done, "bus.y") + _notes_of(done, "bus.z")) == 2


def test_dangling_nodes_and_disconnected_der_are_left_out_and_named() -> None:
    model = two_feeders()
    der = Der(
        id=ElementId("der.z"),
        kind=DerKind.PV,
        pairs=((NodeRef(BusId("z"), 1), None),),
        s_max_va=5e3,
        p_max_w=5e3,
        p_min_w=0.0,
        q_max_var=2e3,
        v_nominal_v=2400.0,
    )
    buses = (*(replace(b, phases=(1, 3)) if b.id == "e" else b for b in model.buses), bus("z"))
    done = settled(replace(model, buses=buses, ders=(der,)))
    assert check(done) == ()
    assert done.buses == model.buses
    assert done.ders == ()
    assert _notes_of(done, "bus.e")
    assert _notes_of(done, "bus.z")
    assert _notes_of(done, "der.z")


def test_a_rating_that_no_line_has_is_not_carried_over() -> None:
    model = two_feeders()
    done = settled(
        replace(model, branches=(model.branches[0], replace(model.branches[1], rating_a=0.4), *model.branches[2:]))
    )
    assert done.branches[1].rating_a is None
    assert _notes_of(done, "line.bc")


def test_an_emergency_rating_below_the_normal_one_is_the_normal_one() -> None:
    model = two_feeders()
    rated = replace(model.branches[1], rating_a=400.0, rating_emergency_a=300.0)
    done = settled(replace(model, branches=(model.branches[0], rated, *model.branches[2:])))
    assert (done.branches[1].rating_a, done.branches[1].rating_emergency_a) == (400.0, 400.0)
    assert _notes_of(done, "line.bc")


def test_a_branch_without_an_admittance_is_left_out() -> None:
    model = two_feeders()
    nothing = replace(line("line.n", "b", "c"), y_primitive_siemens=two_ends(0.0, count=3))
    done = settled(replace(model, branches=(*model.branches, nothing)))
    assert done.branches == model.branches
    assert _notes_of(done, "line.n")


def test_a_slip_of_units_stays_and_is_refused() -> None:
    model = two_feeders()
    long = replace(model.branches[1], length_m=4e6)
    done = settled(replace(model, branches=(model.branches[0], long, *model.branches[2:])))
    assert ("line.bc", "length_m") in {(problem.element, problem.field) for problem in check(done)}

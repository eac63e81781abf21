"""Every trap that chains set, the guard against it, and the test that fails once the guard is gone.

`python tests/chain_mutants.py [number ...]` removes each guard in a copy of the sources and runs its test there: each must
fail. `--table` prints the table of docs/decisions/0008-every-trap-has-its-test.md.
"""

# ruff: noqa: E501, Q000, Q003 - guards are quoted as they stand in the sources
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TRAPS, FAMILIES, VERDICT, CHAIN, CANARY = (
    f"tests/probes/test_{name}.py" for name in ("chain_traps", "chain_families", "chain_verdict", "chain", "canary")
)
RETRY, CONFIG = "tests/probes/test_retry_after.py", "tests/config/test_chains.py"


class Mutant(NamedTuple):
    """A trap, where its guard stands and what it says, what stands there once the guard is gone, and the test that sees it."""

    trap: str
    file: str
    guard: str
    gone: str
    tests: str
    test: str


def _of(file, tests, *rows):
    return [Mutant(trap, file, guard, gone, given[0] if given else tests, test) for trap, guard, gone, test, *given in rows]


MUTANTS = [
    *_of(
        "probes/chains/evm.py", FAMILIES,
        ("a node without peers calls itself in step: the head's age judges", '"syncing": is_syncing(rpc.optional(results["syncing"])),',
         '"syncing": is_syncing(rpc.optional(results["syncing"])), **({"head_ms": run.at_ms} if results["syncing"] is False else {}),',
         "test_a_lone_node_that_calls_itself_in_step_is_judged_by_its_head", CHAIN),
        ("`eth_syncing` has six shapes, and none is an error", "if isinstance(value, dict):", "if value and not isinstance(value, bool):",
         "test_every_shape_of_eth_syncing_explains_and_never_fails"),
        ("`{\"Ok\": false}` is not syncing", 'return value["Ok"] if isinstance(value.get("Ok"), bool) else bool(value)', "return bool(value)",
         "test_every_shape_of_eth_syncing_explains_and_never_fails"),
        ("the `finalized` tag may be missing: an estimate by depth", "if not isinstance(block, dict):\n        return {\"final_height\"",
         "if block == 0:\n        return {\"final_height\"", "test_a_missing_finalized_tag_is_an_estimate_not_a_failure"),
        ("`safe` may be \"not a supported commitment\"", 'rpc.optional(results.get("safe"))', 'rpc.demanded(results.get("safe"))',
         "test_a_safe_that_a_gateway_does_not_know_is_no_failure", TRAPS),
        ("calls that public endpoints block are left out", 'rpc.optional(results["fees"])', 'rpc.demanded(results["fees"])',
         "test_calls_that_are_not_offered_are_dropped_and_the_others_kept"),
        ("a block's hashes alone are hundreds of kB", "_MAX_BODIES = 1024 * 1024", "_MAX_BODIES = 64 * 1024",
         "test_a_block_of_hundreds_of_kilobytes_is_read"),
        ("quantities are texts of hexadecimal digits", 'if isinstance(value, str) and value.startswith("0x"):', "if True:",
         "test_a_block_that_is_null_or_has_plain_numbers_is_no_head", TRAPS),
        ("a base fee that always is zero tells no price: `eth_gasPrice`", "endpoint.asks_price = not base", "endpoint.asks_price = base is None",
         "test_where_the_base_fee_is_zero_the_price_is_asked_for_and_full_blocks_alone_are_not_busy", TRAPS),
        ("without `eth_feeHistory` the newest blocks tell how full they are", "used / limit if used is not None and limit else None",
         "None", "test_without_a_fee_history_twenty_polls_of_the_newest_block_tell", TRAPS),
        ("an op-node speaks in plain numbers, and in block 0 before it knows", "if height and isinstance(block, dict):",
         "if height is not None and isinstance(block, dict):", "test_a_node_that_has_derived_nothing_yet_says_block_zero_and_is_not_believed",
         TRAPS),
        ("`optimism_syncStatus` is not served everywhere: the tags tell", "if not isinstance(status, dict):\n        return {\"error_text\"",
         "if isinstance(status, Refusal):\n        raise status\n    if not isinstance(status, dict):\n        return {\"error_text\"",
         "test_where_the_call_is_not_served_the_blocks_tell", TRAPS),
    ),
    *_of(
        "probes/chains/usual.py", TRAPS,
        ("full blocks at the usual price are not busy", "return round(full, 3) if dearness >= DEAR else _NOT_FULL", "return round(full, 3)",
         "test_a_minimum_tip_of_thirty_gwei_is_usual_on_polygon"),
        ("a price without a past says nothing", "return round(full, 3) if price_follows else None", "return round(full, 3)",
         "test_a_price_whose_usual_height_is_not_known_says_nothing"),
        ("one full block is not twenty", "sum(self.blocks) / _BLOCKS)", "self.blocks[-1])", "test_one_full_block_is_not_twenty"),
    ),
    *_of(
        "probes/chains/bitcoin.py", FAMILIES,
        ("`warnings` is a text or a list", "if isinstance(warnings, list) else warnings", "if True else warnings",
         "test_warnings_may_be_a_text_or_a_list"),
        ("`headers` above `blocks` is a node that catches up", "or (headers is not None and headers > height)", "",
         "test_a_node_that_catches_up_says_so"),
        ("finality is probabilistic, always an estimate", '"final_is_estimate": True}', '"final_is_estimate": False}',
         "test_bitcoin_node_gives_the_record"),
        ("busy is a pool that throws out cheap transactions, not a large one", "pressure = 1.0 if lowest > relay else", "pressure =",
         "test_a_full_pool_is_pressure"),
        ("or a next block at five times the usual price", "max(round(min(0.79, share), 3), dear or 0.0)", "round(min(0.79, share), 3)",
         "test_bitcoin_is_busy_when_the_next_block_costs_five_times_the_usual", TRAPS),
        ("an estimate may be `{\"errors\": ...}`", "float(value) if isinstance(value, int | float) and", "float(value) if",
         "test_a_node_that_cannot_estimate_says_so_in_a_result_of_another_shape", TRAPS),
        ("Esplora answers hashes as plain text, and a CDN's page with 200", "if status == 200 and _HASH.fullmatch(text):", "if status == 200:",
         "test_an_esplora_that_answers_html_with_200_is_no_tip"),
    ),
    *_of(
        "probes/chains/tron.py", FAMILIES,
        ("faults come with HTTP 200 and `Error`", 'fault = value.get("Error") or value.get("error")', 'fault = value.get("error")',
         "test_tron_faults_come_with_http_200"),
        ("`{}` is no block", "if not block:\n        raise Refusal(NODE_BEHIND", "if block is None:\n        raise Refusal(NODE_BEHIND",
         "test_tron_faults_come_with_http_200"),
        ("a whole block may come, of hundreds of kB", "payload, max_body=rpc.WHOLE_BLOCK)", "payload)",
         "test_a_whole_tron_block_is_read_where_the_node_ignores_detail"),
        ("times are milliseconds", 'header.get("timestamp", 0), 1, "time")', 'header.get("timestamp", 0), 0.001, "time")',
         "test_tron_gives_the_record_with_milliseconds"),
        ("hosted gateways have no `getnodeinfo`", '_maybe(_ask(endpoint, run, "/wallet/getnodeinfo")),',
         '_ask(endpoint, run, "/wallet/getnodeinfo"),', "test_a_gateway_that_offers_blocks_alone_is_enough"),
        ("of energy prices the last pair is the present", 'str(text).rpartition(",")[2].rpartition(":")[2]', 'str(text).partition(",")[0].rpartition(":")[2]',
         "test_tron_gives_the_record_with_milliseconds"),
    ),
    *_of(
        "probes/chains/solana.py", FAMILIES,
        ("slots are not block heights", '.get("absoluteSlot"), "slot")', '.get("blockHeight"), "slot")', "test_solana_counts_slots_not_blocks"),
        ("`getHealth` says ok while nothing is replayed", '"head_ms": await _time_ms(endpoint, run, slot),',
         '"head_ms": run.at_ms if health == "ok" else await _time_ms(endpoint, run, slot),', "test_get_health_may_lie_and_the_head_tells"),
        ("-32005 in `getHealth` explains, and the head is read", '"head_height": slot,', '"head_height": slot if rpc.demanded(health) else 0,',
         "test_a_sick_node_is_behind_not_limited"),
        ("an absent leader leaves four slots without a block", "_LOOK_BACK = 8", "_LOOK_BACK = 4",
         "test_a_whole_absent_leader_leaves_four_slots_without_a_block", TRAPS),
        ("busy is what goes first pays; votes come and go", 'rpc.maybe_integer(each.get("prioritizationFee"))', "rpc.maybe_integer(1)",
         "test_solana_is_busy_by_what_goes_first_pays_and_not_by_how_many_votes_there_are", TRAPS),
    ),
    *_of(
        "probes/chains/aptos.py", FAMILIES,
        ("time is in microseconds", 'info.get("ledger_timestamp"), 1000, "ledger time")', 'info.get("ledger_timestamp"), 1, "ledger time")',
         "test_aptos_has_strings_and_microseconds"),
        ("errors are objects with HTTP 200 too", 'if "error_code" in info:', "if False:", "test_aptos_refusals"),
        ("`/-/healthy` always is fine: the ledger is asked", 'await rpc.ask(endpoint, run, "/v1", without="/v1"), "ledger info")',
         'await rpc.ask(endpoint, run, "/v1/-/healthy", without="/v1"), "ledger info")', "test_health_that_always_is_fine_is_not_asked_of_aptos",
         TRAPS),
    ),
    *_of(
        "probes/chains/substrate.py", FAMILIES,
        ("a header has no time: storage has it, little-endian", 'int.from_bytes(raw, "little")', 'int.from_bytes(raw, "big")',
         "test_substrate_reads_its_time_from_storage"),
        ("what is final is a hash: its height is a second call", 'facts["final_height"] = rpc.maybe_integer(found[1].get("number"))',
         'facts["final_height"] = height', "test_substrate_reads_its_time_from_storage"),
        ("blocked calls leave a head", "health = rpc.optional(health)", "health = rpc.demanded(health)",
         "test_blocked_calls_of_substrate_leave_a_head", TRAPS),
        ("a node that should have peers and has none is alone", 'if health.get("shouldHavePeers") is True and facts["peers"] == 0:', "if False:",
         "test_a_substrate_node_without_peers_is_said_to_be_alone", TRAPS),
    ),
    *_of(
        "probes/chains/antelope.py", FAMILIES,
        ("times are UTC and do not say so", "moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)", "moment.astimezone(UTC)",
         "test_times_without_a_zone_are_utc_wherever_the_prober_stands"),
        ("the later fields of `get_info` are optional", "_time_ms(final_time) if final_time is not None else None", "_time_ms(final_time)",
         "test_the_later_fields_are_optional"),
        ("an error is an object in an object, with HTTP 500 or 200", "if not error:\n        return value", "if True:\n        return value",
         "test_antelope_refusals"),
        ("busy is CPU that is lent no more", "pressure = 1 - math.log(times) / math.log(_RELAXED)", "pressure = 0.0",
         "test_antelope_is_busy_when_what_is_lent_shrinks_to_what_a_block_holds", TRAPS),
        ("`block_cpu_limit` is what is left of the block in the making", "endpoint.usual.most = max(endpoint.usual.most, left)",
         "endpoint.usual.most = left", "test_a_block_half_full_in_the_making_is_no_relief", TRAPS),
    ),
    *_of(
        "probes/chains/rpc.py", FAMILIES,
        ("another chain answers: our mistake, never an outage", "chain_id is not None and chain_id != endpoint.identity:", "False:",
         "test_a_chain_that_answers_in_the_place_of_another_is_our_mistake_in_every_family", TRAPS),
        ("64-bit numbers are texts", "elif isinstance(value, str) and 0 < len(value) <= 66 and value.isascii():", "elif False:",
         "test_aptos_has_strings_and_microseconds"),
        ("some endpoints take no batches", "endpoint.batches = isinstance(value, list)", "endpoint.batches = True",
         "test_an_endpoint_that_refuses_batches_is_not_asked_for_one_twice"),
        ("a limit on a batch says nothing about batches", "refusal.error_class not in _NOT_IN_A_BATCH:", "False:",
         "test_a_limit_on_a_batch_does_not_unlearn_batches"),
        ("the answers of a batch come in any order", 'answers = {each["id"]: each for each in value if', "answers = {n: each for n, each in enumerate(value, 1) if",
         "test_evm_gives_the_whole_record"),
        ("an error comes with HTTP 200", "    if error:\n        code = error.get", "    if False:\n        code = error.get",
         "test_the_status_counts_beside_the_json_and_the_json_beside_the_status", TRAPS),
        ("a JSON error with 401, 402, 403, 405, 429 is what the status says", "_SAY_IT_ALL = (401, 402, 403, 405, 429)", "_SAY_IT_ALL = ()",
         "test_the_status_counts_beside_the_json_and_the_json_beside_the_status", TRAPS),
        ("a limit comes as a CDN's page: no JSON must not hide it", "errors.of_status(status, text) or errors.of_text(text) or", "",
         "test_limits_come_in_every_form"),
        ("the HTTP status is kept", 'run.evidence["status"] = status\n', "pass\n", "test_an_answer_cut_in_two_is_no_json_and_its_status_is_kept",
         TRAPS),
        ("`Retry-After` is honoured", "endpoint.quiet_until = time.monotonic() + wait_s if wait_s else 0.0", "endpoint.quiet_until = 0.0",
         "test_a_limited_reference_is_left_alone_while_the_others_are_asked", RETRY),
        ("who limits without a word is left alone ever longer", "_FIRST_PAUSE_S * 2.0 ** min(endpoint.limits - 1, 10)", "_FIRST_PAUSE_S",
         "test_a_reference_that_limits_without_a_word_is_left_alone_ever_longer", RETRY),
        ("an op-node that hangs does not make its endpoint slow", "asyncio.timeout(min(_ASIDE_S, run.left_s / 2))", "asyncio.timeout(None)",
         "test_an_op_node_that_hangs_does_not_make_the_endpoint_slow", TRAPS),
    ),
    *_of(
        "probes/chains/errors.py", TRAPS,
        ("-32005 is a limit on EVM, a sick node on Solana", '"solana": {-32005: "node_behind",', '"solana": {-32005: "rate_limited",',
         "test_one_code_means_different_things", FAMILIES),
        ("-32016 is our credentials on EVM, a slot not reached on Solana", '-32016: "node_behind"', '-32016: "auth"',
         "test_one_code_means_different_things", FAMILIES),
        ("-28 is a bitcoin node that starts", '"bitcoin": {-28: "node_behind",', '"bitcoin": {', "test_bitcoin_refusals", FAMILIES),
        ("providers write limits in words, whatever the code", 'return of_text(error.message) or _EVM_CODE', "return _EVM_CODE",
         "test_what_providers_write_has_its_class_whatever_the_code"),
        ("a text about money names a limit as well", '"billing",\n        re.compile(r"monthly', '"rate_limited",\n        re.compile(r"monthly',
         "test_what_providers_write_has_its_class_whatever_the_code"),
        ("-32603 carries a pool's verdict on a transaction", "if _POOL_VERDICT.search(error.message[:2000].lower()):", "if False:",
         "test_what_providers_write_has_its_class_whatever_the_code"),
        ("an account that has used up its CPU is no outage", '"antelope": dict.fromkeys((3080001, 3080002, 3080004, 3040005), "client_error"),', "",
         "test_an_account_of_eos_that_has_used_up_its_share_is_no_outage"),
        ("1010 and 1016 of substrate are about transactions", '"substrate": {1010: "client_error", 1016: "overloaded"},', "",
         "test_codes_of_substrate"),
        ("403 is our credentials, also with words about a limit beside it", "if status in (400, 401, 403, 500) and of_text(body)", "if False",
         "test_the_status_counts_beside_the_json_and_the_json_beside_the_status"),
    ),
    *_of(
        "probes/chains/verdict.py", VERDICT,
        ("one reference cannot say who is right", "if suppliers(best) < 2 or rivals:", "if suppliers(best) < 1 or rivals:",
         "test_each_branch_ends_where_it_should"),
        ("two addresses of one company are one witness", "{record.supplier or record.endpoint for record in records}",
         "{record.endpoint for record in records}", "test_each_branch_ends_where_it_should"),
        ("a lone high head is nobody's tip", "windows.sort(key=lambda window: (suppliers(window), ", "windows.sort(key=lambda window: (0, ",
         "test_a_lone_high_head_is_nobodys_tip", TRAPS),
        ("no sample is UNKNOWN, never a halt", "return self._end(UNKNOWN, error_class=next(", "return self._end(CHAIN_HALTED, error_class=next(",
         "test_not_knowing_is_never_a_halt"),
        ("a halt is said when every reference stands", "if self.group.others or ahead:", "if ahead:",
         "test_a_reference_that_has_not_seen_the_others_halt_is_no_halt", TRAPS),
        ("references agree within two seconds of blocks, 2 to 10", "min(10, max(2, math.ceil(2 / self.block_s)))", "math.ceil(2 / self.block_s)",
         "test_references_agree_within_two_seconds_of_blocks", TRAPS),
        ("what is final is judged apart from the head", "delay_s > limits.finality_warn_s and advance:", "False:",
         "test_finality_waits_while_blocks_go_on", TRAPS),
        ("an estimate of finality is no delay", "and not each.final_is_estimate", "", "test_each_branch_ends_where_it_should"),
        ("a late batch is no halt: transfers work", "safe_s > limits.safe_warn_s and advance:", "False:",
         "test_a_sequencer_that_stops_is_a_halt_and_batches_that_come_late_are_not", TRAPS),
        ("a fork shows well below the tip: short reorganisations are ordinary", "return 2 if self.memoryless else max(10, self.cluster)", "return 0",
         "test_hashes_are_compared_well_below_the_tip", TRAPS),
        ("the gap of a halt is left out of the block time", "if 0.01 <= sample <= max(120.0, 10 * limits.block_s):", "if True:",
         "test_the_gap_of_a_halt_does_not_call_the_chain_slow_for_hours", TRAPS),
        ("a head from the future is a fault of the clock", "return (record.head_age_s or 0.0) <", "return False and 0 <",
         "test_each_branch_ends_where_it_should"),
        ("but a Bitcoin block may be two hours ahead", "_CLOCK_FAULT_S, _CLOCK_FAULT_POISSON_S = -15.0, -7200.0",
         "_CLOCK_FAULT_S, _CLOCK_FAULT_POISSON_S = -15.0, -15.0", "test_each_branch_ends_where_it_should"),
        ("an hour without a block is nothing on Bitcoin", "if limits.memoryless:\n            if limits.slow_s is not None and age_s > limits.slow_s:",
         "if limits.memoryless:\n            if age_s > 3000:", "test_each_branch_ends_where_it_should"),
        ("and one block behind only after 15 minutes of having it", "blocks >= few and waited_s > limits.lag_s[0]", "blocks >= few",
         "test_each_branch_ends_where_it_should"),
        ("chains without empty blocks may be quiet", "if not self.limits.empty_blocks:", "if False:", "test_each_branch_ends_where_it_should"),
        ("a fast chain's older sample does not lag", "if record.at_ms == self.now_ms else None", "if True else None",
         "test_a_sample_of_an_earlier_poll_does_not_lag"),
        ("an own endpoint that mostly fails is overloaded, above 30 %", "_ERROR_SHARE = 0.3", "_ERROR_SHARE = 0.1",
         "test_three_of_ten_own_answers_may_fail", TRAPS),
        ("our credentials are no outage", '"rate_limited", "overloaded", "node_behind", "bad_body", "body_cap",',
         '"rate_limited", "auth", "overloaded", "node_behind", "bad_body", "body_cap",', "test_each_branch_ends_where_it_should"),
        ("busy is half an hour of it", "_PRESSED, _PRESSED_MS = 0.8, 30 * 60_000", "_PRESSED, _PRESSED_MS = 0.8, 60_000",
         "test_each_branch_ends_where_it_should"),
    ),
    *_of(
        "probes/chains/settle.py", VERDICT,
        ("three findings and a minute, five good ones: no flapping", "ENTER_POLLS, ENTER_MS, LEAVE_POLLS = 3, 60_000, 5",
         "ENTER_POLLS, ENTER_MS, LEAVE_POLLS = 1, 0, 5", "test_a_bad_state_needs_three_polls_and_a_minute"),
        ("a cold start does not know", '    state: str = UNKNOWN\n    severe', '    state: str = OK\n    severe',
         "test_a_cold_start_says_unknown_until_a_bad_state_is_confirmed"),
    ),
    *_of(
        "probes/chains/canary.py", CANARY,
        ("balances show zero while the head is fine", 'return Finding("down", "node_behind" if funds else "assertion", words, bool(funds))',
         "return None", "test_own_balances_are_held_against_references"),
        ("`0x` is what a node says of a contract it does not have", 'if result == "0x":\n        return 0', 'if result == "0x":\n        return 1',
         "test_evm_amounts_are_whole_however_long"),
        ("what cannot be read is no zero", "    if isinstance(raw, Refusal):\n        return {\"canary_error\": raw.error_class}",
         "    if isinstance(raw, Refusal):\n        return {\"canary_balance\": 0.0}", "test_what_is_no_amount_is_no_zero"),
        ("a bitcoin node has no balances: an output, or an error that says what to do", 'if "output" in canary:\n        return []',
         "if True:\n        return []", "test_a_canary_that_no_own_node_can_be_asked_for_is_a_mistake_that_says_what_to_do", TRAPS),
    ),
    *_of(
        "probes/chain.py", CHAIN,
        ("slow is more than 5 s", 'spec.options.get("degraded_above", "5s")', 'spec.options.get("degraded_above", "50s")',
         "test_slow_is_more_than_five_seconds_and_the_end_is_ten"),
        ("after a gap of ours nothing of before can be compared", "plan.polls.clear()", "pass", "test_what_is_kept_is_bounded_and_forgotten_after_a_gap"),
    ),
    *_of(
        "probes/chains/registry.yaml", TRAPS,
        ("X Layer is not OKTC, though addresses look alike", "family: evm, id: 196,", "family: evm, id: 66,",
         "test_x_layer_in_the_place_of_oktc_is_another_chain_though_addresses_look_alike"),
        ("Solana is slow above 0.6 s a slot", "slow_factor: 1.5,", "slow_factor: 2.5,", "test_solana_is_slow_above_six_tenths_of_a_second"),
        ("OKTC is being shut down", "lifecycle: sunset", "lifecycle: active",
         "test_a_network_that_is_being_shut_down_is_watched_and_said_to_be", CONFIG),
        ("networks change their names", "aka: [okexchain, okc, okxchain]", "aka: []", "test_a_network_is_known_by_the_names_it_had_and_got", CONFIG),
        ("balances live on the hub, not on the relay", "balances_on: kusama-asset-hub, ", "",
         "test_a_relay_chain_without_the_hub_that_holds_its_balances_is_told", CONFIG),
        ("TRON skips two slots every six hours", "block_s: 3, poll_s: 15, lag_blocks: [5, 20], lag_s: [20, 90], halt_s: 90",
         "block_s: 1, poll_s: 15, lag_blocks: [5, 20], lag_s: [20, 90], halt_s: 5",
         "test_slots_that_are_missed_now_and_then_are_nothing"),
    ),
]  # fmt: skip


def table() -> str:
    """The table of the documentation."""
    rows = [f"| {n} | {one.trap} | `{one.file}` | `{one.test}` |" for n, one in enumerate(MUTANTS, 1)]
    return "\n".join(["| | Trap | Guarded in | Seen by |", "|---|---|---|---|", *rows])


def survives(one: Mutant, copy: Path) -> bool:
    """Whether the test passes without the guard."""
    path = copy / one.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(one.guard, one.gone), encoding="utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-n0", "-q", "-x", "-p", "no:cacheprovider", f"{one.tests}", "-k", one.test]
        environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, timeout=120, check=False)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    return done.returncode == 0


def main() -> int:
    """Run the mutants whose numbers are given, or all; the number of those that no test sees."""
    if "--table" in sys.argv:
        print(table())
        return 0
    chosen = [int(each) for each in sys.argv[1:]] or range(1, len(MUTANTS) + 1)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("probes", "statuspage", "templates", "tests", "pyproject.toml"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
        alive = [number for number in chosen if survives(MUTANTS[number - 1], copy)]
    for number in alive:
        print(f"{number} survives: {MUTANTS[number - 1].trap}")
    print(f"{len(chosen) - len(alive)} of {len(chosen)} guards are missed by their test once they are gone")
    return len(alive)


if __name__ == "__main__":
    sys.exit(main())

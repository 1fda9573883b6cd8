"""Thresholds that several parts of the diagnosis share, each with its reason.

A threshold of one question or remark stands in that module.
"""

from __future__ import annotations

from harness.clock import NS_PER_MS

# A diagnosis is made, and a second is slow, from this share of a limit on: the specification asks
# for a diagnosis when P99 "nears" its 500 ms.
NEAR_SHARE = 0.80
# The limit of "slow" without an objective that has one.
LIMIT_DEFAULT_NS = 500 * NS_PER_MS
# A shorter baseline is too short to compare with.
BASELINE_MIN_S = 2.0
# Twice as much in slow seconds as in the others; less is no association.
BASELINE_TIMES = 2.0

# One thread uses one core at most, whatever the quota: 80 % of it is the specified question.
BUSIEST_CORES = 0.80
# CPU quotas are enforced per period of 100 ms. When a quarter of the periods is throttled, signals
# wait for parts of them although the average over a second is low.
THROTTLED_SHARE = 0.25
# With less of its cores idle a host has none to give.
HOST_IDLE_SHARE_MAX = 0.10
PRESSURE_SHARE = 0.30
STEAL_SHARE = 0.05
# Redis serves no command while it forks; a tenth of the 500 ms is a considerable part.
FORK_MS = 50.0
# A lock with a waiter in a fifth of the samples.
LOCK_WAITING_SHARE = 0.20
HOT_SHARE = 0.20

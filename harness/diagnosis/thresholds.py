"""Every threshold of the diagnosis, in one place, with the reason for it."""

from __future__ import annotations

from harness.clock import NS_PER_MS

# A diagnosis is made from this share of a limit on, and a second is slow from there on: the
# specification asks for it when P99 "nears" its 500 ms.
NEAR_SHARE = 0.80

# What an answer is about must have been watched for half of the time, or nobody knows.
COVERED_MIN = 0.50
# A cause is at work while signals are slow: for half of that time, not for a second of it. So it is
# the median over that time that is held against what follows. An engine that catches up after a
# stall is busy too, and that is not what made the signals slow.
MOST_OF_TIME = 0.50
# Below eight seconds any two figures may rise together by chance (rank correlation: one in twenty
# pairs of eight reaches 0.64).
CORRELATED_SECONDS_MIN = 8

# 1. The engine's computing, as specified: a share of its quota.
ENGINE_CPU_SHARE = 0.80
# One thread computes on one core at most, whatever the quota: 80 % of that is the same question.
BUSIEST_CORES = 0.80
# A quota is given out by periods of 100 ms. Used up in a quarter of them, signals stand still for
# parts of those periods although the mean of a second looks well.
THROTTLED_SHARE = 0.25
# Where the host lacks cores: signals queue up only before an engine that has something to do all
# the time, that is one core's worth of running or being ready to run. Of that a quarter spent
# waiting for a core is more than the moment that each wake-up takes on a busy host; where a single
# thread does most of the work, whatever it lacks of the 80 % above is. And cores left idle are
# cores that it could have had.
RUNNABLE_CORES = 0.90
WAIT_SHARE = 0.25
BUSIEST_MOSTLY_CORES = 0.50
HOST_IDLE_SHARE_MAX = 0.10
# Half of the host's cores: then the engine itself is what fills the host.
ENGINE_OF_HOST_SHARE = 0.50

# 2. Redis "near" its memory.
REDIS_MEMORY_SHARE = 0.80
# What the specification gives Redis; held against where no limit is in force.
REDIS_MEMORY_SPECIFIED_BYTES = 4 * 1024**3
# Streams that hold less than half of the memory are not what fills it.
STREAMS_SHARE = 0.50
# Of less memory than this share of the limit it does not matter who holds it.
REDIS_MEMORY_REPORTED_SHARE = 0.40
# Below so many entries and bytes more or less, memory per entry is guessed from the whole memory:
# a server's own memory comes and goes by some hundred kilobytes.
ENTRIES_RANGE_MIN = 100
MEMORY_RANGE_MIN_BYTES = 4 * 1024**2
# Redis answers nobody while it forks; a tenth of the 500 ms is a part of the promise.
FORK_MS = 50.0

# 3. A lock that some session waits for most of the time takes the signals one by one, however
# short each wait is. One waited for in a fifth of the looks counts when the waits are of a length
# that matters to the limit; on a hot address short waits now and then are ordinary.
NONCE_WAITED_MOST = 0.50
NONCE_WAITED_OFTEN = 0.20
NONCE_WAIT_LIMIT_SHARE = 0.10
# One look is no habit.
NONCE_SAMPLES_MIN = 2
# A statement whose mean is a twentieth of the limit is slow: a signal takes some five of them.
STATEMENT_LIMIT_SHARE = 0.05

# 4. The specification gives a node 100 ms to answer before another one is asked.
RPC_MS = 100.0
# Slower than any other by so much, and slow enough to be felt.
RPC_TIMES_OTHERS = 3.0
RPC_NOTABLE_MS = 50.0
# One answer in twenty that comes too late, or never, reaches P99 many times over.
RPC_LATE_SHARE = 0.05

# Remarks. The same share of a quota for other services as for the engine.
SERVICE_CPU_SHARE = 0.80
SERVICE_MEMORY_SHARE = 0.90
PRESSURE_SHARE = 0.30
# Twice as often in slow seconds as in the others, or it is only a neighbour in time.
BASELINE_TIMES = 2.0
# Rewriting now and then is Redis's trade; for a tenth of the slow time it is worth a word.
REWRITE_SHARE = 0.10
# Slow seconds that are a third of all or less are few enough for an event to have made them.
RARE_SHARE = 0.34
HOT_SHARE = 0.20
# Fewer other seconds than that are nothing to compare with.
BASELINE_MIN_S = 2.0
# A stage grows when its tail is so many of its medians, and a tenth of the limit at least.
GROWS_TIMES = 3.0
GROWS_LIMIT_SHARE = 0.10
# So many signals that never arrived are in the percentile and in no stage.
CENSORED_SHARE = 0.01
STEAL_SHARE = 0.05
# The generator's own part of a latency.
LATENESS_SHARE = 0.20
# A second in which a twentieth of the usual number is simulated, while signals wait. One alone is
# told only when the engine did less than half of its usual work in it: one that is busy, and
# commits in large batches, has such seconds too.
STALL_SHARE = 0.05
STALL_IN_FLIGHT_SHARE = 0.50
STALL_IDLE_SHARE = 0.50
# Standing still for more of the time than that is no stall but a slow engine.
STALLED_SHARE_MAX = 0.34
REMARKS_MAX = 8

# The limit that "slow" means where nothing else says so.
LIMIT_DEFAULT_NS = 500 * NS_PER_MS

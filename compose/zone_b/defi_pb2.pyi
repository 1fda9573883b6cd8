from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    SWAP: _ClassVar[Action]
ACTION_UNSPECIFIED: Action
SWAP: Action

class Context(_message.Message):
    __slots__ = ("trace_id", "agent_id", "last_sync_block", "timestamp_ms")
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_SYNC_BLOCK_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    trace_id: str
    agent_id: str
    last_sync_block: int
    timestamp_ms: int
    def __init__(self, trace_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., last_sync_block: _Optional[int] = ..., timestamp_ms: _Optional[int] = ...) -> None: ...

class TradeRequest(_message.Message):
    __slots__ = ("ctx", "protocol_id", "action", "payload", "max_slippage_bps", "gas_price_limit")
    CTX_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    MAX_SLIPPAGE_BPS_FIELD_NUMBER: _ClassVar[int]
    GAS_PRICE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ctx: Context
    protocol_id: str
    action: Action
    payload: bytes
    max_slippage_bps: int
    gas_price_limit: str
    def __init__(self, ctx: _Optional[_Union[Context, _Mapping]] = ..., protocol_id: _Optional[str] = ..., action: _Optional[_Union[Action, str]] = ..., payload: _Optional[bytes] = ..., max_slippage_bps: _Optional[int] = ..., gas_price_limit: _Optional[str] = ...) -> None: ...

class Swap(_message.Message):
    __slots__ = ("strategy_id", "address", "chain_id", "token_in", "token_out", "amount_in", "capital", "staged", "memo")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_OUT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_IN_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    STAGED_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    address: str
    chain_id: int
    token_in: str
    token_out: str
    amount_in: str
    capital: str
    staged: bool
    memo: bytes
    def __init__(self, strategy_id: _Optional[str] = ..., address: _Optional[str] = ..., chain_id: _Optional[int] = ..., token_in: _Optional[str] = ..., token_out: _Optional[str] = ..., amount_in: _Optional[str] = ..., capital: _Optional[str] = ..., staged: _Optional[bool] = ..., memo: _Optional[bytes] = ...) -> None: ...

class ChainEvent(_message.Message):
    __slots__ = ("block_number", "sync_block", "sync_timestamp", "kind", "data")
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SYNC_BLOCK_FIELD_NUMBER: _ClassVar[int]
    SYNC_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    block_number: int
    sync_block: int
    sync_timestamp: int
    kind: str
    data: bytes
    def __init__(self, block_number: _Optional[int] = ..., sync_block: _Optional[int] = ..., sync_timestamp: _Optional[int] = ..., kind: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

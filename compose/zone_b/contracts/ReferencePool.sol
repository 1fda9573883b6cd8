// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// A pool of two tokens that trades along x * y = k and keeps a fee for its depositors.
///
/// Tokens are bookkeeping only: what the engine wants to know is what a trade would give, what it
/// would cost in gas, and whether it would go through at all.
contract ReferencePool {
    /// Parts per million of the amount paid in that stay in the pool.
    uint256 public constant FEE_PPM = 3_000;
    uint256 private constant ONE_PPM = 1_000_000;

    // Both in slot 0, the first in its lower half: whoever simulates writes the state of a block
    // straight into it, and a swap pays for one slot only.
    uint128 public reserveIn;
    uint128 public reserveOut;

    event Swapped(address indexed trader, uint256 amountIn, uint256 amountOut);

    error Empty();
    error TooLittle(uint256 amountOut, uint256 amountOutMin);
    error TooMuch(uint256 amountIn);

    /// Pay `amountIn` in and take what the curve gives, or nothing if that is too little.
    function swap(uint256 amountIn, uint256 amountOutMin) public returns (uint256 amountOut) {
        uint256 stockIn = reserveIn;
        uint256 stockOut = reserveOut;
        uint256 paid = amountIn * (ONE_PPM - FEE_PPM);
        amountOut = (paid * stockOut) / (stockIn * ONE_PPM + paid);
        if (amountOut == 0) revert Empty();
        if (amountOut < amountOutMin) revert TooLittle(amountOut, amountOutMin);
        if (amountIn > type(uint128).max - stockIn) revert TooMuch(amountIn);
        reserveIn = uint128(stockIn + amountIn);
        reserveOut = uint128(stockOut - amountOut);
        emit Swapped(msg.sender, amountIn, amountOut);
    }

    /// Swap, and tell what a decision needs: to be called where the effects are thrown away.
    function rehearse(uint256 amountIn)
        external
        returns (uint256 amountOut, uint256 inBefore, uint256 outBefore, uint256 gasSpent)
    {
        inBefore = reserveIn;
        outBefore = reserveOut;
        uint256 gasAtStart = gasleft();
        amountOut = swap(amountIn, 0);
        gasSpent = gasAtStart - gasleft();
    }
}

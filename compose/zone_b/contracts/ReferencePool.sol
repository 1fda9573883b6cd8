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

    // Slots 0 and 1: whoever simulates writes the state of a block straight into them.
    uint256 public reserveIn;
    uint256 public reserveOut;

    event Swapped(address indexed trader, uint256 amountIn, uint256 amountOut);

    error Empty();
    error TooLittle(uint256 amountOut, uint256 amountOutMin);

    /// Pay `amountIn` in and take what the curve gives, or nothing if that is too little.
    function swap(uint256 amountIn, uint256 amountOutMin) public returns (uint256 amountOut) {
        uint256 before = reserveIn;
        uint256 paid = amountIn * (ONE_PPM - FEE_PPM);
        amountOut = (paid * reserveOut) / (before * ONE_PPM + paid);
        if (amountOut == 0) revert Empty();
        if (amountOut < amountOutMin) revert TooLittle(amountOut, amountOutMin);
        reserveIn = before + amountIn;
        reserveOut -= amountOut;
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

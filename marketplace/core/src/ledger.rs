//! Double entry: accounts, transfers and their sums.

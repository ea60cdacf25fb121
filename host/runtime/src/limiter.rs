//! Memory of one call: the sum over all linear memories and tables of its store.
//!
//! wasmtime asks per memory; a component with several could otherwise hold several times its limit.
//! A growth beyond the limit ends the call (it is the `memory` limit, not the guest's `-1`), so the
//! tenant learns which limit it was.

use std::sync::Arc;

use soma_policy::LimitKind;
use wasmtime::{Error, ResourceLimiter, Result};

use crate::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};
use crate::running::Running;

/// Bytes that one table element costs.
const TABLE_ELEMENT_BYTES: u64 = 8;

/// The limiter of one store.
pub(crate) struct Limiter {
    running: Arc<Running>,
}

impl Limiter {
    pub(crate) fn new(running: Arc<Running>) -> Self {
        Self { running }
    }

    fn grow(&self, current: usize, desired: usize, unit: u64) -> Result<bool> {
        let more = (desired.saturating_sub(current) as u64).saturating_mul(unit);
        self.running.charge(LimitKind::Memory, more).map_err(Error::from)?;
        Ok(true)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        self.grow(now, wanted, 1)
    }

    fn table_growing(&mut self, now: usize, wanted: usize, _: Option<usize>) -> Result<bool> {
        self.grow(now, wanted, TABLE_ELEMENT_BYTES)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

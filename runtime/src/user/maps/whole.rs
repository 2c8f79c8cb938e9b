//! Whole values of maps, as user space sees them: those of all processors in a row.

use super::{Errno, Found, Map};

impl Map {
    /// Bytes of one processor's row of a value, and the number of rows.
    pub fn rows(&self) -> (usize, usize) {
        if matches!(self.definition.kind, 5 | 6 | 10) {
            (self.cpu_stride(), self.cpus)
        } else {
            (self.value_size(), 1)
        }
    }

    /// The value of a key.
    pub fn read(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let (row, rows) = self.rows();
        let mut value = Vec::with_capacity(row * rows);
        for cpu in 0..rows {
            let Some(Found::Value(address)) = self.lookup(key, cpu) else { return None };
            let start = value.len();
            value.resize(start + row, 0);
            // SAFETY: the address is that of a row of the value, which has room for whole rows.
            unsafe { address.copy_to(value[start..].as_mut_ptr(), row) };
        }
        Some(value)
    }

    /// Sets the value of a key.
    pub fn write(&mut self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let (row, rows) = self.rows();
        for (cpu, bytes) in value.chunks(row.max(1)).take(rows).enumerate() {
            // Once the first row is there, the key exists.
            self.update(key, bytes, if cpu == 0 { flags } else { 0 }, cpu)?;
        }
        Ok(())
    }

    /// Takes the oldest record out of a ring.
    pub fn take_record(&mut self) -> Option<Vec<u8>> {
        self.records()?.take()
    }
}

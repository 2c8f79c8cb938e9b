//! Where a map is: in the kernel, or in this process for the user back end.

use std::io;
use std::rc::Rc;

use crate::sys::map::Map;
use crate::user::Host;

/// A map.
#[derive(Debug)]
pub enum Store {
    /// In the kernel.
    Kernel(Map),
    /// In this process.
    User {
        /// All maps of the tool.
        host: Rc<Host>,
        /// The number of this one.
        map: usize,
        /// Bytes of a key.
        key_size: usize,
    },
}

impl Store {
    /// Bytes of a key.
    pub fn key_size(&self) -> usize {
        match self {
            Self::Kernel(map) => map.key_size(),
            Self::User { key_size, .. } => *key_size,
        }
    }

    /// Bytes of a row of a value, and the number of rows.
    pub fn rows(&self) -> (usize, usize) {
        match self {
            Self::Kernel(map) => map.rows(),
            Self::User { host, map, .. } => host.rows(*map),
        }
    }

    /// Bytes of a whole value.
    pub fn value_size(&self) -> usize {
        let (row, rows) = self.rows();
        row * rows
    }

    /// Writes an element.
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
        match self {
            Self::Kernel(map) => map.update(key, value, flags),
            Self::User { host, map, .. } => host.write(*map, key, value, flags),
        }
    }

    /// Reads an element into `value`. False: no such key.
    pub fn lookup(&self, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
        match self {
            Self::Kernel(map) => map.lookup(key, value),
            Self::User { host, map, .. } => match host.read(*map, key) {
                Some(found) if found.len() == value.len() => {
                    value.copy_from_slice(&found);
                    Ok(true)
                }
                Some(_) => Err(io::ErrorKind::InvalidInput.into()),
                None => Ok(false),
            },
        }
    }

    /// Deletes an element. False: no such key.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        match self {
            Self::Kernel(map) => map.delete(key),
            Self::User { host, map, .. } => Ok(host.delete(*map, key)),
        }
    }

    /// The map in the kernel, if it is there.
    pub fn kernel(&self) -> Option<&Map> {
        match self {
            Self::Kernel(map) => Some(map),
            Self::User { .. } => None,
        }
    }
}

//! Keys of maps, and which of a map's parts an entry is in.
//!
//! A key that is a text has as many bytes as a text may have, and the kernel hashes all of them. Most texts are short,
//! so a map with such keys has two parts: entries with texts of less than [`SHORT_KEY`]` - 1` bytes are in one whose keys have
//! [`SHORT_KEY`] bytes, and the others in one with whole keys.

use btaot_abi::ids::MapId;
use btaot_abi::metadata::SHORT_KEY;
use btaot_semantic::program::{Expr, ExprKind, Location};
use btaot_semantic::types::Type;

use super::fill::text_helper;
use super::read::Spot;
use super::{Fill, Lower};
use crate::bpf::error::Result;
use crate::llvm::Ptr;
use crate::llvm::ir::{Compare, Likely};

/// Bytes of the longest short text, without the NUL. The text of one more byte, which also fits, is taken for a long
/// one: what the kernel says of reading it does not differ from what it says of longer ones.
const MOST: u32 = SHORT_KEY - 2;

impl<'c> Lower<'_, '_, 'c> {
    /// The eBPF map that an entry is in, and its key there.
    pub(super) fn place_of_key(
        &mut self,
        map: MapId,
        key: Option<&Expr>,
        location: Location,
    ) -> Result<(Ptr<'c>, Ptr<'c>)> {
        if !self.unit.has_short_keys(map) {
            let key = self.key(map, key, location)?;
            return Ok((self.unit.user_map(map, location)?, key));
        }
        let short = self.unit.short_map(map, location)?;
        match key {
            Some(key) if self.is_short(key) => Ok((short, self.short_key(key)?)),
            Some(key) if matches!(key.kind, ExprKind::ReadStr { .. }) => {
                self.place_of_text(map, key, location)
            }
            _ => {
                let memory = self.key(map, key, location)?;
                let long = self.unit.user_map(map, location)?;
                let last = self.ir.load(8, self.ir.offset(memory, MOST.into()), 1);
                let (other, join) = (self.open("long_key"), self.open("key"));
                let from = self.ir.here();
                self.ir.branch(self.ir.is_nonzero(last), other, join, Likely::No);
                self.ir.at_end(other);
                self.ir.jump(join);
                self.ir.at_end(join);
                Ok((self.ir.phi_ptr(&[(short, from), (long, other)]), memory))
            }
        }
    }

    /// A key that is read from memory: as a short one, and only if it is none, once more as a whole.
    fn place_of_text(&mut self, map: MapId, key: &Expr, location: Location) -> Result<(Ptr<'c>, Ptr<'c>)> {
        let ir = self.ir;
        let ExprKind::ReadStr { address, space, length } = &key.kind else {
            return self.unsupported(location, "this text is not read from memory");
        };
        let size = self.size_of(&key.ty, location)?;
        let short = self.unit.short_map(map, location)?;
        let from = self.scalar(address)?;
        let length = length.as_deref().map(|length| self.scalar(length)).transpose()?;
        let most = self.bounded(length, SHORT_KEY);
        let memory = self.temporary(SHORT_KEY);
        self.zero(Spot::aligned(memory), SHORT_KEY);
        let helper = text_helper(self.reach(*space));
        let read = self.helper(helper, &[memory.into(), most.into(), from.into()]);
        let long = ir.compare(Compare::SGT, read, ir.i64(u64::from(MOST) + 1));
        if let Some(rest) = self.rest {
            self.unless_unusual(rest, long);
            return Ok((short, memory));
        }
        let (other, join) = (self.open("long_key"), self.open("key"));
        let here = ir.here();
        ir.branch(long, other, join, Likely::No);
        ir.at_end(other);
        let whole = self.temporary(size);
        self.zero(Spot::aligned(whole), size);
        let most = self.bounded(length, size);
        self.helper(helper, &[whole.into(), most.into(), from.into()]);
        let table = self.unit.user_map(map, location)?;
        let other = ir.here();
        ir.jump(join);
        ir.at_end(join);
        let table = ir.phi_ptr(&[(short, here), (table, other)]);
        Ok((table, ir.phi_ptr(&[(memory, here), (whole, other)])))
    }

    /// Whether a text is short for sure.
    fn is_short(&self, key: &Expr) -> bool {
        match &key.kind {
            ExprKind::Str(text) => text.len() <= MOST as usize,
            ExprKind::Convert(inner) => matches!(inner.ty, Type::Str(size) if size <= MOST),
            _ => false,
        }
    }

    fn short_key(&mut self, key: &Expr) -> Result<Ptr<'c>> {
        let memory = self.temporary(SHORT_KEY);
        let to = Spot::aligned(memory);
        match &key.kind {
            ExprKind::Str(text) => self.fill_literal(text, to, &Type::Str(SHORT_KEY), Fill::Whole),
            ExprKind::Convert(inner) => {
                let size = self.size_of(&inner.ty, inner.location)?;
                self.fill(inner, to, Fill::Whole)?;
                self.pad(to, size, SHORT_KEY, Fill::Whole);
            }
            _ => return self.unsupported(key.location, "this text may be long"),
        }
        Ok(memory)
    }

    /// A map's key in memory, all bytes defined.
    pub(super) fn key(&mut self, map: MapId, key: Option<&Expr>, location: Location) -> Result<Ptr<'c>> {
        match key {
            None => {
                let name = self.unit.program.maps[map.index()].name.display().into_owned();
                self.unsupported(location, &format!("{name} has keys"))
            }
            Some(key) if key.ty.is_scalar() => {
                let layout = self.layout(&key.ty, key.location)?;
                let value = self.scalar(key)?;
                let memory = self.temporary(layout.size());
                self.store(Spot::aligned(memory), value, &layout);
                Ok(memory)
            }
            Some(key) => self.memory(key),
        }
    }
}

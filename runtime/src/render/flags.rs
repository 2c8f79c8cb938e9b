//! Flags of memory allocations (`gfp_t`) by their names.
//!
//! Their bits differ between kernels. The kernel tells them in the `print fmt` of its own events: a list of
//! `{EXPRESSION, "NAME"}` in the order in which names are to be tried, those of several bits first.

use super::number;
use crate::tracefs::Tracefs;

/// The masks with their names, in the kernel's order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AllocationFlags(Vec<(u64, String)>);

impl AllocationFlags {
    /// Reads the running kernel's list. Without one, flags are shown as a number.
    pub fn of_this_kernel() -> Self {
        let text = Tracefs::locate().and_then(|tracefs| tracefs.format_text("kmem", "kmalloc"));
        text.ok().flatten().map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Takes the list out of the text of a `format` file.
    fn parse(text: &str) -> Self {
        let mut flags = Vec::new();
        let list = text.split_once("gfp_flags, \"|\",").map_or("", |(_, list)| list);
        for entry in list.split('{').skip(1) {
            let Some((entry, rest)) = entry.split_once('}') else { break };
            if let Some((expression, name)) = entry.rsplit_once(',')
                && let Some(mask) = Expression::evaluate(expression)
                && let Some(name) = name.trim().strip_prefix('"').and_then(|name| name.strip_suffix('"'))
                && mask != 0
            {
                flags.push((mask, name.to_owned()));
            }
            if rest.trim_start().starts_with(')') {
                break;
            }
        }
        Self(flags)
    }

    /// Appends the names of the flags that are set, and bits without a name as a number.
    pub fn append(&self, out: &mut Vec<u8>, flags: u64) {
        let (start, mut rest) = (out.len(), flags);
        let separate = |out: &mut Vec<u8>| {
            if out.len() > start {
                out.push(b'|');
            }
        };
        for (mask, name) in &self.0 {
            if rest & mask == *mask {
                separate(out);
                out.extend_from_slice(name.as_bytes());
                rest &= !mask;
            }
        }
        if rest != 0 {
            separate(out);
            number::address(out, rest);
        } else if flags == 0 {
            out.push(b'0');
        }
    }
}

/// A constant expression of C with casts, shifts, `&`, `|` and `~`, as far as it has been read.
struct Expression<'a> {
    rest: &'a str,
}

impl<'a> Expression<'a> {
    /// The value of a whole text; `None` when it is no such expression.
    fn evaluate(text: &'a str) -> Option<u64> {
        let mut expression = Self { rest: text };
        let value = expression.or()?;
        expression.rest.trim_start().is_empty().then_some(value)
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn or(&mut self) -> Option<u64> {
        let mut value = self.and()?;
        while self.eat("|") {
            value |= self.and()?;
        }
        Some(value)
    }

    fn and(&mut self) -> Option<u64> {
        let mut value = self.shift()?;
        while self.eat("&") {
            value &= self.shift()?;
        }
        Some(value)
    }

    fn shift(&mut self) -> Option<u64> {
        let mut value = self.unary()?;
        while self.eat("<<") {
            value = value.checked_shl(u32::try_from(self.unary()?).ok()?)?;
        }
        Some(value)
    }

    fn unary(&mut self) -> Option<u64> {
        if self.eat("~") {
            return self.unary().map(|value| !value);
        }
        if self.eat("(") {
            // A cast changes no value here: all are unsigned and small.
            let inside = self.rest.trim_start();
            if inside.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
                let (_, behind) = inside.split_once(')')?;
                self.rest = behind;
                return self.unary();
            }
            let value = self.or()?;
            return self.eat(")").then_some(value);
        }
        self.integer()
    }

    fn integer(&mut self) -> Option<u64> {
        let text = self.rest.trim_start();
        let end = text.find(|byte: char| !byte.is_ascii_alphanumeric()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        self.rest = rest;
        let digits = digits.trim_end_matches(['u', 'U', 'l', 'L']);
        match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AllocationFlags, Expression};

    /// In the forms of Linux 6.18 and 6.1.
    const FORMAT: &str = "print fmt: \"gfp_flags=%s node=%d\", (REC->gfp_flags) ? __print_flags(REC->gfp_flags, \"|\", \
        {( unsigned long)(((( gfp_t)(((((1UL))) << (10))|((((1UL))) << (11)))) | (( gfp_t)((((1UL))) << (6))))), \
        \"GFP_NOFS\"}, {(unsigned long)((( gfp_t)0x01u)), \"GFP_DMA\"}, {( unsigned long)( gfp_t)0, \"NOTHING\"}, \
        {( unsigned long)(( gfp_t)((((1UL))) << (6))), \"__GFP_IO\"} ) : \"none\", REC->node ? {1, \"X\"}";

    #[test]
    fn expressions_of_the_kernel() {
        assert_eq!(
            Expression::evaluate("( unsigned long)((( gfp_t)(0x400u|0x800u)) & ~0x400u)"),
            Some(0x800)
        );
        assert_eq!(Expression::evaluate("1UL << (2) | 3"), Some(7));
        assert_eq!(Expression::evaluate("(1"), None);
        assert_eq!(Expression::evaluate("1 + 1"), None);
        assert_eq!(Expression::evaluate("1 << 64"), None);
    }

    #[test]
    fn names_are_tried_in_order() {
        let flags = AllocationFlags::parse(FORMAT);
        let masks: Vec<_> = flags.0.iter().map(|(mask, name)| (*mask, name.as_str())).collect();
        assert_eq!(masks, [(0xc40, "GFP_NOFS"), (1, "GFP_DMA"), (0x40, "__GFP_IO")]);
        let shown = |bits| {
            let mut out = Vec::new();
            flags.append(&mut out, bits);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(shown(0xc41), "GFP_NOFS|GFP_DMA");
        assert_eq!(shown(0x842), "__GFP_IO|0x802");
        assert_eq!((shown(0).as_str(), shown(0x8000).as_str()), ("0", "0x8000"));
    }
}

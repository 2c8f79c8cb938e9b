//! Values as text.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::context::Context;
use super::decode::{Fields, Value};
use super::number::{self, Case};

/// Appends a value.
pub fn value(out: &mut Vec<u8>, context: &mut Context<'_>, value: &Value<'_>) {
    match value {
        Value::Signed(value) => number::signed(out, *value),
        Value::Unsigned(value) => number::unsigned(out, *value),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Str { text, cut } => {
            out.extend_from_slice(text);
            if *cut {
                out.extend_from_slice(context.trailer);
            }
        }
        Value::Buf(bytes) => printable(out, bytes),
        Value::Pointer(address) => number::address(out, *address),
        Value::Enum { name: Some(name), .. } => out.extend_from_slice(name),
        Value::Enum { number, signed: true, name: None } => number::signed(out, *number as i64),
        Value::Enum { number, signed: false, name: None } => number::unsigned(out, *number),
        Value::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.clone().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                self::value(out, context, &element);
            }
            out.push(b']');
        }
        Value::Tuple(fields) => {
            out.push(b'(');
            tuple(out, context, fields);
            out.push(b')');
        }
        Value::Record(fields) => record(out, context, fields),
        Value::KernelStack(stack, key) => context.names.kernel_stack(out, *stack, *key),
        Value::UserStack(stack, key, pid) => context.names.user_stack(out, *stack, *key, *pid),
        Value::KernelSymbol(address) => context.names.kernel_symbol(out, *address),
        Value::UserSymbol(address, pid) => context.names.user_symbol(out, *address, *pid),
        Value::Username(uid) => context.names.username(out, *uid),
        Value::Inet(family, address) => inet(out, *family, address),
        Value::Mac(address) => mac(out, address),
        Value::Timestamp(nanoseconds, format) => context.timestamp(out, *nanoseconds, *format),
        Value::CgroupPath(id, filter) => context.names.cgroup_path(out, *id, filter),
        Value::ProbeName(probe) => context.names.probe_name(out, *probe),
        Value::ProbeFunction(probe) => context.names.probe_function(out, *probe),
    }
}

/// Appends a map key: the parentheses of a tuple are left out.
pub fn key(out: &mut Vec<u8>, context: &mut Context<'_>, key: &Value<'_>) {
    match key {
        Value::Tuple(fields) => tuple(out, context, fields),
        other => value(out, context, other),
    }
}

fn tuple(out: &mut Vec<u8>, context: &mut Context<'_>, fields: &Fields<'_>) {
    for (index, (_, field)) in fields.clone().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        value(out, context, &field);
    }
}

fn record(out: &mut Vec<u8>, context: &mut Context<'_>, fields: &Fields<'_>) {
    let mut separator: &[u8] = b"{ .";
    for (name, field) in fields.clone() {
        out.extend_from_slice(separator);
        out.extend_from_slice(name);
        out.extend_from_slice(b" = ");
        value(out, context, &field);
        separator = b", .";
    }
    let empty = separator == b"{ .";
    out.extend_from_slice(if empty { b"{}" } else { b" }" });
}

/// Appends bytes: printable ASCII as it is, the rest as `\xNN`.
pub fn printable(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        if matches!(byte, b' '..=b'~') {
            out.push(byte);
        } else {
            escaped(out, byte);
        }
    }
}

/// Appends a byte as `\xNN`.
pub fn escaped(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(b"\\x");
    number::hex_byte(out, byte, Case::Lower);
}

/// Appends an address of `AF_INET` or `AF_INET6` as `inet_ntop(3)` writes it; other families have no text.
fn inet(out: &mut Vec<u8>, family: u32, address: &[u8; 16]) {
    const AF_INET: u32 = libc::AF_INET as u32;
    const AF_INET6: u32 = libc::AF_INET6 as u32;
    // Writing to a vector cannot fail.
    let _ = match (family, address) {
        (AF_INET, [a, b, c, d, ..]) => write!(out, "{}", Ipv4Addr::new(*a, *b, *c, *d)),
        // The C library also writes the old IPv4-compatible addresses in dotted form.
        (AF_INET6, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]) if (*a, *b) != (0, 0) => {
            write!(out, "::{}", Ipv4Addr::new(*a, *b, *c, *d))
        }
        (AF_INET6, address) => write!(out, "{}", Ipv6Addr::from(*address)),
        _ => Ok(()),
    };
}

fn mac(out: &mut Vec<u8>, address: &[u8; 6]) {
    for (index, byte) in address.iter().enumerate() {
        if index > 0 {
            out.push(b':');
        }
        number::hex_byte(out, *byte, Case::Upper);
    }
}

//! Wall-clock time in the machine's time zone, by the C library: it reads `TZ` and `/etc/localtime`.

use std::ffi::CStr;

/// A second, broken down.
#[derive(Clone, Copy)]
pub struct LocalTime(libc::tm);

impl LocalTime {
    /// The local time of a second since 1970 UTC; `None` when its year does not fit.
    pub fn of(seconds: i64) -> Option<Self> {
        // SAFETY: a struct of plain integers and a pointer that may be null.
        let mut broken: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: both arguments are valid for the duration of the call, which keeps neither.
        let result = unsafe { libc::localtime_r(&raw const seconds, &raw mut broken) };
        if result.is_null() { None } else { Some(Self(broken)) }
    }

    /// Appends the text of a `strftime(3)` format. `None`, and nothing appended, when it does not fit in
    /// `limit` bytes, its NUL included. An empty text cannot be told from one that does not fit.
    pub fn format(&self, format: &CStr, limit: usize, out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        out.resize(start + limit, 0);
        // SAFETY: `limit` bytes from the pointer on belong to the vector; format and time are valid for the
        // duration of the call.
        let len = unsafe {
            libc::strftime(out[start..].as_mut_ptr().cast(), limit, format.as_ptr(), &raw const self.0)
        };
        out.truncate(start + len);
        (len > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::LocalTime;

    #[test]
    fn formats_and_limits() {
        let time = LocalTime::of(86_400 * 365).expect("a time");
        let mut out = b"at ".to_vec();
        // Every time zone is in 1970 or 1971 then.
        assert_eq!(time.format(c"%Y", 5, &mut out), Some(()));
        assert!(out == b"at 1970" || out == b"at 1971", "{out:?}");
        assert_eq!(time.format(c"%Y", 4, &mut out), None);
        assert_eq!(out.len(), 7);
        assert!(LocalTime::of(i64::MAX).is_none());
    }
}

//! Words for mistakes that show only at run time.

use std::io;

use btaot_abi::metadata::{Fault as Kind, Metadata, Site};

use super::sink::{FailedHelper, Fault};

/// Puts a fault report together. `result` is the helper's, 0 for faults that are no helper's; `source` is
/// the text of the script, empty when the tool does not carry it.
pub fn report<'a>(metadata: &'a Metadata, site: &'a Site, result: i64, source: &'a [u8]) -> Fault<'a> {
    let (message, helper) = match &site.fault {
        Kind::DivideByZero => (
            "Divide or modulo by 0 detected. This can lead to unexpected results. \
             1 is being used as the result."
                .into(),
            None,
        ),
        Kind::IndexOutOfBounds => ("The index is outside the array; the element is taken as 0.".into(), None),
        Kind::Helper { name } => {
            let helper = FailedHelper { name, result, reason: error_text(result) };
            (helper_message(name, result, &helper.reason), Some(helper))
        }
    };
    let line = site.location.line.checked_sub(1).map(|line| line as usize);
    let line = line.and_then(|line| source.split(|&byte| byte == b'\n').nth(line));
    Fault {
        script: &metadata.script,
        location: site.location,
        line: line.filter(|_| !source.is_empty()),
        message,
        helper,
    }
}

fn helper_message(name: &str, result: i64, reason: &str) -> String {
    const NOT_FOUND: i64 = -(libc::ENOENT as i64);
    const TOO_BIG: i64 = -(libc::E2BIG as i64);
    match (name, result) {
        ("map_update_elem", TOO_BIG) => {
            "The map is full, so the element was not stored. Raise the config setting \
             max_map_keys, or give this map a size of its own, as in `let @a = hash(5000)`."
                .into()
        }
        ("map_delete_elem", NOT_FOUND) => "There is no such element in the map to delete.".into(),
        ("map_lookup_elem", _) => "There is no such element in the map to look up.".into(),
        _ => format!("bpf_{name} failed: {reason}."),
    }
}

/// The system's words for a negative error number.
fn error_text(result: i64) -> String {
    match i32::try_from(result.unsigned_abs()) {
        Ok(0) => "Success".into(),
        Ok(number) => words(&io::Error::from_raw_os_error(number)),
        Err(_) => format!("Unknown error {}", result.unsigned_abs()),
    }
}

/// The system's words for an error, without the number that the standard library appends.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::error_text;

    #[test]
    fn error_numbers_have_words() {
        assert_eq!(error_text(0), "Success");
        assert_eq!(error_text(-2), "No such file or directory");
        assert_eq!(error_text(i64::MIN), "Unknown error 9223372036854775808");
    }
}

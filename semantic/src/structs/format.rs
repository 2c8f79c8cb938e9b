//! The `format` file of a tracepoint (`Documentation/trace/events.rst`).

use btaot_abi::Bytes;

/// A field of a tracepoint's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name.
    pub name: Bytes,
    /// Its declaration without name and array length, such as `const char *`.
    pub declaration: String,
    /// Number of elements of an array; 0 without a number.
    pub array: Option<u32>,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes; arrays count whole.
    pub size: u32,
    /// Whether an integer is signed.
    pub signed: bool,
    /// A word that says where the data lies: `__data_loc`.
    pub data_loc: bool,
}

/// The fields in the order of the file. Lines that do not describe a field are skipped.
pub(super) fn parse(text: &str) -> Vec<Field> {
    text.lines().filter_map(|line| field(line.trim())).collect()
}

/// `field:TYPE NAME; offset:N; size:N; signed:N;`
fn field(line: &str) -> Option<Field> {
    let mut parts = line.split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?.trim();
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.trim().parse::<u32>().ok();
    let (offset, size) = (number("offset:")?, number("size:")?);
    let signed = number("signed:").unwrap_or(0) != 0;
    let (data_loc, declaration) = match declaration.strip_prefix("__data_loc ") {
        Some(rest) => (true, rest.trim()),
        None => (false, declaration),
    };
    // `char comm[16]`, and with `__data_loc` also `char[] name`.
    let (head, array) = match declaration.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        Some((head, len)) => (head.trim(), Some(len.trim().parse().unwrap_or(0))),
        None => (declaration, None),
    };
    let split = head.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    let (ty, name) = head.split_at(split);
    let ty = ty.trim();
    let (ty, array) = match ty.strip_suffix("[]") {
        Some(element) => (element.trim(), Some(0)),
        None => (ty, array),
    };
    if name.is_empty() {
        return None;
    }
    Some(Field { name: name.into(), declaration: ty.to_owned(), array, offset, size, signed, data_loc })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_form_of_declaration() {
        let text = "name: x\nID: 1\nformat:\n\
            \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
            \tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\
            \tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;\n\
            \tfield:__data_loc char[] name;\toffset:32;\tsize:4;\tsigned:0;\n\
            \tfield:pid_t pid;\toffset:36;\tsize:4;\tsigned:1;\n\nprint fmt: \"\"\n";
        let fields = parse(text);
        let short = |index: usize| {
            let field = &fields[index];
            (field.name.display().into_owned(), field.declaration.as_str(), field.array, field.data_loc)
        };
        assert_eq!(fields.len(), 5);
        assert_eq!(short(1), ("prev_comm".into(), "char", Some(16), false));
        assert_eq!(short(2), ("filename".into(), "const char *", None, false));
        assert_eq!(short(3), ("name".into(), "char", Some(0), true));
        assert_eq!(short(4), ("pid".into(), "pid_t", None, false));
        assert_eq!((fields[4].offset, fields[4].size, fields[4].signed), (36, 4, true));
    }
}

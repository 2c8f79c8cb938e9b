//! Patterns of attach points: `*`, `?` and sets `[a-c]`, `[!a-c]`.

/// Whether the whole of `name` matches `pattern`. A set without an end is taken literally.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star, and one byte further in the name.
    let mut retry = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                retry = Some((p, n));
                p += 1;
                continue;
            }
            (None, None) => return true,
            (Some(_), Some(&byte)) => {
                if let Some(len) = matches_one(&pattern[p..], byte) {
                    p += len;
                    n += 1;
                    continue;
                }
            }
            _ => {}
        }
        match retry {
            Some((star, from)) if from < name.len() => {
                retry = Some((star, from + 1));
                (p, n) = (star + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// The length of the pattern's first element if it matches the byte.
fn matches_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => match set(pattern) {
            Some((members, negated, len)) => (in_set(members, byte) != negated).then_some(len),
            None => (byte == b'[').then_some(1),
        },
        &literal => (literal == byte).then_some(1),
    }
}

/// Takes a set apart: its members, whether it is negated, its length with the brackets.
fn set(pattern: &[u8]) -> Option<(&[u8], bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    // A bracket right at the start is a member.
    let rest = pattern.get(start + 1..)?;
    let end = start + 1 + rest.iter().position(|&byte| byte == b']')?;
    Some((&pattern[start..end], negated, end + 1))
}

fn in_set(members: &[u8], byte: u8) -> bool {
    let mut rest = members;
    while let [first, tail @ ..] = rest {
        match tail {
            [b'-', last, tail @ ..] => {
                if (*first..=*last).contains(&byte) {
                    return true;
                }
                rest = tail;
            }
            _ => {
                if *first == byte {
                    return true;
                }
                rest = tail;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let cases = [
            ("read*", "readline", true),
            ("read*", "read", true),
            ("*line", "readline", true),
            ("*", "", true),
            ("r*d*e", "readline", true),
            ("r*d*x", "readline", false),
            ("**e", "e", true),
            ("?ead", "read", true),
            ("?ead", "ead", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("[]]x", "]x", true),
            ("[ab", "[ab", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("", "", true),
            ("a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}

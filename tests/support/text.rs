//! Comparing texts.

/// Fails with a line by line difference unless both texts are equal.
pub fn expect_equal(what: &str, expected: &str, actual: &str) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    Err(format!("{what} differs (- expected, + actual):\n{}", difference(expected, actual)))
}

/// Both texts with their common lines joined; a missing newline at the end is made visible.
fn difference(expected: &str, actual: &str) -> String {
    let expected: Vec<&str> = expected.split_inclusive('\n').collect();
    let actual: Vec<&str> = actual.split_inclusive('\n').collect();
    let before = common(expected.iter(), actual.iter());
    let after = common(expected[before..].iter().rev(), actual[before..].iter().rev());
    let mut text = String::new();
    let mut show = |sign: char, lines: &[&str]| {
        for line in lines {
            text.push(sign);
            text.push_str(line.strip_suffix('\n').unwrap_or(line));
            text.push_str(if line.ends_with('\n') { "\n" } else { "␄\n" });
        }
    };
    show(' ', &expected[..before]);
    show('-', &expected[before..expected.len() - after]);
    show('+', &actual[before..actual.len() - after]);
    show(' ', &expected[expected.len() - after..]);
    text
}

fn common<'a>(left: impl Iterator<Item = &'a &'a str>, right: impl Iterator<Item = &'a &'a str>) -> usize {
    left.zip(right).take_while(|(left, right)| left == right).count()
}

//! "Did you mean": the known name nearest to a mistyped one.

/// The candidate with the smallest edit distance to `name`, if one is near enough to be what was meant: one edit for
/// short names, up to a third of the length for longer ones. Of equally near ones the one of nearest length wins.
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    let near = candidates.into_iter().map(|candidate| (distance(name, candidate), candidate));
    near.filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len().abs_diff(name.len())))
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) between two names, ignoring case.
fn distance(left: &str, right: &str) -> usize {
    let fold = |text: &str| text.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let (left, right) = (fold(left), fold(right));
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    rows[0] = (0..=right.len()).collect();
    for i in 1..=left.len() {
        rows[i][0] = i;
        for j in 1..=right.len() {
            let replace = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut least = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_typing_mistakes_and_nothing_else() {
        let names = ["print", "printf", "count", "pid", "kprobe"];
        assert_eq!(closest("prnit", names), Some("print"));
        assert_eq!(closest("prinft", names), Some("printf"));
        assert_eq!(closest("PID", names), Some("pid"));
        assert_eq!(closest("kprob", names), Some("kprobe"));
        assert_eq!(closest("foo", names), None);
        assert_eq!(closest("x", names), None);
    }
}

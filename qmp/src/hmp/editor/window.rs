//! How much of a line is shown in one row, and how many columns text takes.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::COLUMNS;

/// Where a line goes on beyond what is shown.
const MORE_BEFORE: char = '<';
const MORE_AFTER: char = '>';

/// Columns of a text: those of its characters, as terminals count that know nothing of characters that are drawn as one (a family of
/// emoji). A combining character has none, and a wide one has two.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// Whether a line and the cursor behind it stand in one row of any terminal.
pub(super) fn fits(prompt: &str, line: &str) -> bool {
    width(prompt) + width(line) < COLUMNS
}

/// What is shown of a line before and after the cursor, so that it stands in one row behind the prompt: all of it if that fits, or a
/// part that stays the same while the cursor goes over half of a row.
pub(super) fn window(prompt: &str, before: &str, after: &str) -> (String, String) {
    if width(prompt) + width(before) + width(after) < COLUMNS {
        return (before.to_owned(), after.to_owned());
    }
    // A column for the cursor behind the last character, and one for each mark.
    let room = COLUMNS.saturating_sub(width(prompt) + 3).max(2);
    let half = room / 2;
    let hidden = (width(before) / half).saturating_sub(1) * half;
    let mut column = 0;
    let mut shown_before = String::new();
    for cluster in before.graphemes(true) {
        if column >= hidden {
            shown_before.push_str(cluster);
        }
        column += width(cluster);
    }
    if shown_before.len() < before.len() {
        shown_before.insert(0, MORE_BEFORE);
    }
    let mut left = (room + 1).saturating_sub(width(&shown_before));
    let mut shown_after = String::new();
    for cluster in after.graphemes(true) {
        match left.checked_sub(width(cluster)) {
            Some(rest) => left = rest,
            None => break,
        }
        shown_after.push_str(cluster);
    }
    if shown_after.len() < after.len() {
        shown_after.push(MORE_AFTER);
    }
    (shown_before, shown_after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_is_shown_and_else_what_is_around_the_cursor() {
        assert_eq!(window("> ", "ab", "cd"), ("ab".to_owned(), "cd".to_owned()));
        let long = "0123456789".repeat(20);
        let (before, after) = window("> ", "", &long);
        assert_eq!((before.as_str(), after.len(), &after[after.len() - 2..]), ("", 77, "5>"));
        let (before, after) = window("> ", &long, "");
        assert!(before.starts_with('<') && before.ends_with("6789") && after.is_empty(), "{before}");
        let (before, after) = window("> ", &long[..100], &long[100..]);
        assert!(before.starts_with('<') && before.ends_with("789"), "{before}");
        assert!(after.starts_with("012") && after.ends_with('>'), "{after}");
        assert_eq!((width("e\u{301}"), width("日本"), width("ab")), (1, 4, 2));
    }

    proptest! {
        #[test]
        fn a_part_stands_in_one_row(before in "[ab日é\u{301}]{0,200}", after in "[ab日é\u{301}]{0,200}") {
            let (shown_before, shown_after) = window("(qemu) ", &before, &after);
            let shown = [shown_before.as_str(), &shown_after].concat();
            prop_assert!(fits("(qemu) ", &shown));
            prop_assert!(before.ends_with(shown_before.trim_start_matches(MORE_BEFORE)));
            prop_assert!(after.starts_with(shown_after.trim_end_matches(MORE_AFTER)));
            prop_assert_eq!(shown_before.starts_with(MORE_BEFORE), shown_before.trim_start_matches(MORE_BEFORE) != before);
            prop_assert_eq!(shown_after.ends_with(MORE_AFTER), shown_after.trim_end_matches(MORE_AFTER) != after);
            // There is something to be seen on both sides.
            prop_assert!(width(&shown_before) >= width(&before).min(20));
            prop_assert!(width(&shown_after) >= width(&after).min(1));
        }
    }
}

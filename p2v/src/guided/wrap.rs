//! Long lines on a narrow screen.

/// `text` in lines of at most `width` characters, cut between words where there is a blank. What a line begins with is kept.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let indent: String = text.chars().take_while(|c| *c == ' ').take(width / 2).collect();
    let mut line = String::new();
    for word in text.trim_start().split_inclusive(' ') {
        let room = |line: &str| width.saturating_sub(line.chars().count());
        if line.trim().is_empty() {
            line.clone_from(&indent);
        } else if word.trim_end().chars().count() > room(&line) {
            lines.push(std::mem::replace(&mut line, indent.clone()));
        }
        for c in word.chars() {
            // A word longer than a line, or the blank that ends one.
            if room(&line) == 0 {
                if c == ' ' {
                    continue;
                }
                lines.push(std::mem::replace(&mut line, indent.clone()));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::wrap;
    use proptest::prelude::*;

    #[test]
    fn lines_are_cut_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("  one two three", 8), ["  one", "  two", "  three"]);
        assert_eq!(wrap("/a/very/long/path", 6), ["/a/ver", "y/long", "/path"]);
        assert_eq!(wrap("", 5), [""]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_long(text in "[a-z ]{0,60}", width in 1usize..20) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let joined: String = lines.concat();
            let letters = |text: &str| text.replace(' ', "");
            prop_assert_eq!(letters(&joined), letters(&text));
        }
    }
}

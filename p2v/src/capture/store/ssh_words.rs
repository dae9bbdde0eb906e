//! Why ssh has ended, for a person: from its exit status, and from what it said if somebody listened.

use crate::error::{Exit, Failure};

/// How ssh ended.
pub(super) struct Ended<'a> {
    /// The other computer.
    pub(super) host: &'a str,
    /// The same, as ssh's file of known computers has it.
    pub(super) known_as: &'a str,
    /// Its exit status; `None` after a signal. ssh(1): that of the command there, or 255 if ssh itself failed.
    pub(super) code: Option<i32>,
    /// What it printed to standard error; `None` if that went to the terminal.
    pub(super) said: Option<&'a str>,
}

/// The failure that it is.
pub(super) fn explain(ended: &Ended<'_>) -> Failure {
    let host = ended.host;
    let unreachable = |what: String| Failure::new(Exit::TargetUnwritable, what);
    match (ended.code, ended.said) {
        // POSIX shells: not found, or not executable.
        (Some(127 | 126), _) => unreachable(format!("there is no p2v on {host}"))
            .advice("Install p2v there (into /usr/local/bin, for example), or say where it is with `--remote-p2v`."),
        // The command line of a p2v that knows no `receive`.
        (Some(2), _) => unreachable(format!("p2v on {host} is too old to take a copy through ssh"))
            .advice("Use the same version of p2v on both."),
        (Some(255), Some(said)) => {
            let (what, advice) = understood(ended, said).unwrap_or_else(|| not_understood(host, said));
            unreachable(what).advice(advice)
        }
        (Some(255), None) => unreachable(format!(
            "there is no connection to {host}, or it was cut; ssh has said why"
        ))
        .advice(format!(
            "Try `ssh {host}` first: name, key and password must be right, and the network must work."
        )),
        (None, _) => unreachable(format!("the connection to {host} was cut: ssh was ended")).advice("Start again."),
        _ => unreachable(format!("p2v on {host} has ended without a word")).advice("Start again."),
    }
}

const NETWORK: &str = "Is the other PC switched on? Are both in the same network, this one with its cable plugged in? On p2v's \
                       stick, the command p2v-wifi joins a wireless network.";

/// What ssh's own words mean, and what to do. They are those of OpenSSH 8.4 to 10 and of the C library; neither is
/// translated.
fn understood(ended: &Ended<'_>, said: &str) -> Option<(String, String)> {
    let host = ended.host;
    let has = |words: &str| said.contains(words);
    let answer = |what: String, advice: &str| Some((what, advice.to_owned()));
    // The order matters: the first ones explain those that follow.
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") || has("has changed and you have requested strict checking") {
        return answer(
            format!(
                "the PC {host} is not the one that it was last time: it identifies itself with another key. Somebody may be pretending \
                 to be it, so p2v does not connect"
            ),
            &format!(
                "If you know why (its system was installed anew, or the address is another PC's now), forget the old key with \
                 this command, and try again: ssh-keygen -R {}. Otherwise ask who runs that network.",
                ended.known_as
            ),
        );
    }
    if has("Host key verification failed") {
        return answer(
            format!("the PC {host} was not confirmed to be the right one, so p2v does not connect"),
            "Try again, compare the fingerprint, and answer yes if it is the same.",
        );
    }
    if has("Could not resolve hostname") {
        return answer(
            format!("no PC called {host} is known in this network"),
            "Check the name, or use the other PC's address: there, the command `ip -4 address` prints it (inet 192.168.1.20, for \
             example). Is this PC's network cable plugged in? On p2v's stick, the command p2v-wifi joins a wireless network.",
        );
    }
    if has("Connection refused") {
        return answer(
            format!("the PC {host} is there, but takes no connections: no ssh server runs on it"),
            "Install one there (Debian, Ubuntu: sudo apt install openssh-server), or check the port.",
        );
    }
    if has("No route to host") || has("Network is unreachable") || has("timed out") {
        let what = if has("Timeout, server") || has("Read from remote host") || has("client_loop") {
            format!("the connection to {host} was lost")
        } else {
            format!("the PC {host} does not answer")
        };
        return answer(what, NETWORK);
    }
    if let Some(at) = said.rfind("Permission denied (") {
        let methods = said[at..].split_once('(').map_or("", |(_, rest)| rest);
        let methods = methods.split_once(')').map_or(methods, |(methods, _)| methods);
        let password = methods
            .split(',')
            .any(|method| matches!(method, "password" | "keyboard-interactive"));
        return if password {
            answer(
                format!("the PC {host} did not accept the password, or does not know that user"),
                "Check the user's name and the password: they are those with which you log in on that PC. Root is mostly not let \
                 in with a password.",
            )
        } else {
            answer(
                format!("the PC {host} lets nobody in with a password, and no key of this PC is known to it"),
                "Allow passwords there (PasswordAuthentication yes, in /etc/ssh/sshd_config), or use a key that it knows.",
            )
        };
    }
    if has("Too many authentication failures") {
        return answer(
            format!("the PC {host} refused after too many tries"),
            "Try again, and check the user's name and the password.",
        );
    }
    if has("Unable to negotiate") || has("no matching") {
        return answer(
            format!("the PC {host} and this one have no way to encrypt in common: one of them is too old"),
            "Update the system of the older one, or copy to a drive.",
        );
    }
    // What is left of a connection that was there.
    let cut = [
        "Connection closed by",
        "Connection reset by",
        "Broken pipe",
        "closed by remote host",
        "Timeout, server",
    ];
    if cut.iter().any(|words| has(words)) {
        return answer(format!("the connection to {host} was lost"), NETWORK);
    }
    None
}

/// The last line that it said, as it is.
fn not_understood(host: &str, said: &str) -> (String, String) {
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let last = last.map_or(String::new(), |line| {
        format!(": {}", line.replace(char::is_control, "?").trim_end_matches('.'))
    });
    (
        format!("there is no connection to {host}, or it was lost{last}"),
        NETWORK.to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn explained(code: Option<i32>, said: Option<&str>) -> String {
        let failure = explain(&Ended {
            host: "newpc",
            known_as: "[newpc]:2222",
            code,
            said,
        });
        assert_eq!(failure.exit, Exit::TargetUnwritable);
        format!("{}. {}", failure.what(), failure.what_now().unwrap())
    }

    /// What OpenSSH 9.2 prints.
    #[test]
    fn what_ssh_says_is_explained() {
        for (said, words) in [
            (
                "ssh: Could not resolve hostname newpc: Name or service not known\r\n",
                "no PC called newpc is known",
            ),
            (
                "ssh: Could not resolve hostname newpc: Temporary failure in name resolution\r\n",
                "no PC called newpc is known",
            ),
            (
                "ssh: connect to host newpc port 22: Connection refused\r\n",
                "sudo apt install openssh-server",
            ),
            (
                "ssh: connect to host newpc port 22: Connection timed out\r\n",
                "newpc does not answer",
            ),
            (
                "ssh: connect to host 10.1.2.3 port 22: No route to host\r\n",
                "p2v-wifi",
            ),
            (
                "Connection timed out during banner exchange\r\nConnection to UNKNOWN port 65535 timed out\r\n",
                "newpc does not answer",
            ),
            (
                "Permission denied, please try again.\r\nme@newpc: Permission denied (publickey,password).\r\n",
                "did not accept the password",
            ),
            (
                "me@newpc: Permission denied (publickey).\r\n",
                "lets nobody in with a password",
            ),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key verification failed.\r\n",
                "ssh-keygen -R [newpc]:2222.",
            ),
            (
                "Host key verification failed.\r\n",
                "was not confirmed to be the right one",
            ),
            (
                "Received disconnect from UNKNOWN port 65535:2: Too many authentication failures\r\n",
                "after too many tries",
            ),
            (
                "Unable to negotiate with 10.1.2.3 port 22: no matching host key type found. Their offer: ssh-dss\r\n",
                "too old",
            ),
            (
                "Timeout, server newpc not responding.\r\n",
                "the connection to newpc was lost",
            ),
            (
                "Read from remote host newpc: Connection timed out\r\n",
                "the connection to newpc was lost",
            ),
            (
                "client_loop: send disconnect: Broken pipe\r\n",
                "the connection to newpc was lost",
            ),
            (
                "kex_exchange_identification: something new\r\n",
                "something new. Is the other PC",
            ),
            ("", "no connection to newpc, or it was lost. Is"),
        ] {
            let text = explained(Some(255), Some(said));
            assert!(text.contains(words), "{said}: {text}");
        }
    }

    #[test]
    fn the_end_of_the_command_there_is_explained() {
        assert!(explained(Some(127), Some("sh: p2v: not found")).contains("no p2v on newpc"));
        assert!(explained(Some(2), None).contains("too old"));
        assert!(explained(Some(1), None).contains("without a word"));
        assert!(explained(Some(255), None).contains("ssh has said why"));
        assert!(explained(None, Some("")).contains("was cut"));
    }

    proptest! {
        #[test]
        fn anything_is_explained_without_control_characters(said in "\\PC{0,40}[\\x00-\\x1f(),]{0,10}\\PC{0,40}") {
            let text = explained(Some(255), Some(&said));
            prop_assert!(!text.contains(char::is_control));
        }
    }
}

//! Another PC as the place: its page, ssh's questions, and what comes of them.

use super::*;
use crate::askpass::{Kind, Question, Secret};

/// What OpenSSH 9.2 asks.
const HOST_KEY: &str = "The authenticity of host 'newpc (192.168.1.20)' can't be established.\n\
    ED25519 key fingerprint is SHA256:uNiVztksCsDhcc0u9e8BrgJXVGDAzmUDoZ4/Jlwrcc0.\n\
    This key is not known by any other names.\n\
    Are you sure you want to continue connecting (yes/no/[fingerprint])? ";

fn password() -> Question {
    Question {
        kind: Kind::Secret,
        text: "me@newpc's password: ".to_owned(),
    }
}

fn host_key() -> Question {
    Question {
        kind: Kind::YesNo,
        text: HOST_KEY.to_owned(),
    }
}

/// Any.
pub(super) fn questions() -> impl Strategy<Value = Question> {
    let kinds = prop::sample::select(vec![Kind::Secret, Kind::YesNo, Kind::Notice]);
    (kinds, "[a-z \\n]{0,300}").prop_map(|(kind, text)| Question { kind, text })
}

impl Journey {
    /// The number of the plan for another PC that was asked for last.
    pub(super) fn far_plan(&self) -> Option<u64> {
        self.asked.iter().rev().find_map(|task| match task {
            Task::Plan {
                ticket,
                target: Target::Far { .. },
                ..
            } => Some(*ticket),
            _ => None,
        })
    }

    fn type_text(&mut self, text: &str) {
        self.press(&text.chars().map(Char).collect::<Vec<_>>());
    }

    /// From the start to the plan for a PC.
    fn to_plan(folder: &str) -> (Self, u64) {
        let mut journey = Journey::begin(2);
        journey.press(&[Enter, Down, Down, Down]);
        journey.shows(&["> Another PC, over the network (ssh)"]);
        journey.press(&[Enter]);
        journey.shows(&[
            "Which PC shall take the copy?",
            "> PC:",
            "sudo apt install openssh-server",
        ]);
        journey.type_text("newpc");
        journey.press(&[Tab]);
        journey.type_text("me");
        journey.press(&[Enter]);
        journey.type_text(folder);
        journey.shows(&["PC: newpc", "User: me", &format!("> Folder: {folder}")]);
        journey.press(&[Enter, Enter]);
        journey.shows(&["Connecting to the other PC", "Esc: back"]);
        let ticket = journey.far_plan().unwrap();
        (journey, ticket)
    }
}

fn far_summary() -> Summary {
    Summary {
        command: "p2v capture /dev/sd1 -o ssh://me@newpc/~/FAMILY".to_owned(),
        copied_before: 3 * GB,
        ..summary(Path::new("/home/me/FAMILY"))
    }
}

#[test]
fn from_the_password_to_the_report() {
    let (mut journey, ticket) = Journey::to_plan("~");
    let target = Target::Far {
        output: "ssh://me@newpc/~/FAMILY".to_owned(),
        name: None,
    };
    assert!(matches!(journey.asked.last(), Some(Task::Plan { target: t, .. }) if *t == target));
    journey.event(Event::Asked(ticket, host_key()));
    journey.shows(&[
        "Is this the right PC?",
        "SHA256:uNiVztksCsDhcc0u9e8BrgJXVGDAzmUDoZ4/Jlwrcc0",
        "Press Y if it is the right one",
        "Y: yes, it is",
    ]);
    // Enter is no yes.
    journey.press(&[Enter, Char('x'), Char('y')]);
    let answer = |text: &str| Task::Answer {
        ticket,
        answer: Secret::of(text),
    };
    assert_eq!(journey.asked.last(), Some(&answer("yes")));
    journey.event(Event::Asked(ticket, password()));
    journey.type_text("wrong");
    journey.shows(&["me@newpc's password:", "> *****", "kept nowhere"]);
    assert!(!journey.screen(80, 25).concat().contains("wrong"));
    journey.press(&[Enter]);
    assert_eq!(journey.asked.last(), Some(&answer("wrong")));
    journey.event(Event::Asked(ticket, password()));
    journey.shows(&["That was not accepted. Type it again"]);
    assert!(!journey.screen(80, 25).concat().contains('*'));
    // A letter that leads away elsewhere is a letter here.
    journey.type_text("qright");
    journey.press(&[Backspace, Enter]);
    assert_eq!(journey.asked.last(), Some(&answer("qrigh")));
    journey.event(Event::Planned(ticket, Ok(far_summary())));
    journey.shows(&[
        "To: the folder FAMILY on newpc, in the home folder",
        "Before: 3.0 GB of it were copied before",
        "both PCs must stay switched on",
        "p2v capture /dev/sd1 -o ssh://me@newpc/~/FAMILY",
    ]);
    journey.press(&[Enter]);
    journey.event(Event::Finished(Ok(Finished::default())));
    journey.shows(&[
        "Where: the folder FAMILY on newpc, in the home folder",
        "2. On newpc, open a terminal, go to the folder /home/me, and type:",
        "p2v verify FAMILY",
    ]);
}

#[test]
fn a_failure_can_be_tried_again_or_changed() {
    let (mut journey, ticket) = Journey::to_plan("");
    let target = Target::Far {
        output: "ssh://me@newpc".to_owned(),
        name: Some("FAMILY".to_owned()),
    };
    assert!(matches!(journey.asked.last(), Some(Task::Plan { target: t, .. }) if *t == target));
    let refused = || NotPlanned::Refused(Failure::new(Exit::TargetUnwritable, "newpc does not answer"));
    journey.event(Event::Planned(ticket, Err(refused())));
    journey.shows(&["Newpc does not answer.", "Enter: try again", "Esc: change where to"]);
    journey.press(&[Enter]);
    let again = journey.far_plan().unwrap();
    assert!(again > ticket && matches!(journey.guide.page, Page::Waiting(_)));
    journey.event(Event::Planned(again, Err(refused())));
    journey.press(&[Esc]);
    journey.shows(&["> PC: newpc"]);
    journey.press(&[Esc]);
    assert_eq!(journey.guide.page, Page::Places);
}

#[test]
fn who_gives_up_is_not_asked_again() {
    for (question, key, words) in [
        (host_key(), Char('n'), "you said that it is not the right PC"),
        (host_key(), Esc, "Not connected."),
        (password(), Esc, "Not connected."),
    ] {
        let (mut journey, ticket) = Journey::to_plan("~");
        journey.event(Event::Asked(ticket, question.clone()));
        journey.press(&[key]);
        assert_eq!(journey.asked.last(), Some(&Task::GiveUp));
        journey.shows(&[words, "> PC: newpc"]);
        journey.event(Event::Asked(ticket, question));
        journey.event(Event::Planned(ticket, Ok(far_summary())));
        assert_eq!(journey.guide.page, Page::Far);
    }
    // While nothing is asked yet.
    let (mut journey, _) = Journey::to_plan("~");
    journey.press(&[Esc]);
    assert_eq!(journey.asked.last(), Some(&Task::GiveUp));
    journey.shows(&["Not connected.", "> PC: newpc"]);
}

#[test]
fn what_is_missing_is_asked_for() {
    let mut journey = Journey::begin(2);
    journey.press(&[Enter, Down, Down, Down, Enter, Enter, Enter, Enter]);
    journey.shows(&["> PC:", "Type the other PC's name or its address."]);
    journey.type_text("newpc");
    journey.press(&[Down, Down, Up, BackTab, Enter, Enter, Enter]);
    journey.shows(&["> User:", "Type the name with which you log in on the other PC."]);
    assert_eq!(journey.far_plan(), None);
}

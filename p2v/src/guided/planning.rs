//! From what was chosen to a plan, by way of the command line that is shown.

use super::connections::Connections;
use super::mounts;
use super::pages::{NotPlanned, Summary, Target};
use super::words;
use super::working::Part;
use crate::capture::store::Line;
use crate::capture::{Plan, Request};
use crate::cli::{Cli, Command};
use crate::error::{Failure, Result};
use crate::machine::library::shell_word;
use crate::machine::{Unfinished, check_unused, unfinished};
use crate::signals::Stop;
use clap::Parser;
use std::path::Path;

/// Makes the plan from the very words that are shown as the command line. `stop` ends waits for another PC.
pub(super) fn plan(
    source: &Path,
    target: &Target,
    connections: &Connections,
    ticket: u64,
    stop: &Stop,
) -> std::result::Result<(Plan, Summary), NotPlanned> {
    if let Target::Folder { folder, .. } = target {
        // An unfinished capture is gone on with; whether it is of this disk is for the plan to say.
        let unused = match unfinished(folder) {
            Unfinished::Resumable => Ok(()),
            _ => check_unused(folder),
        };
        unused.map_err(|failure| another_name(&failure))?;
    }
    let line = words_of(source, target);
    let request = request(&line).map_err(NotPlanned::Refused)?;
    let far = connections.line(&request, ticket, stop).map_err(NotPlanned::Refused)?;
    let plan = Plan::over(&request, far.clone(), stop).map_err(|failure| match far {
        Some(_) if Line::is_refusal(&failure) => another_name(&failure),
        _ => NotPlanned::Refused(failure),
    })?;
    let summary = Summary {
        data: plan.read.bytes(),
        copied_before: plan.copied_before(),
        free: plan.free,
        systems: plan.systems.iter().map(|system| system.name.clone()).collect(),
        warnings: plan.warnings.clone(),
        command: shown(&line, target),
        folder: plan.folder.clone(),
        parts: parts(&plan),
    };
    Ok((plan, summary))
}

fn another_name(failure: &Failure) -> NotPlanned {
    NotPlanned::Name(format!("{}. Choose another name.", words::capital(failure.what())))
}

/// The command line, word by word.
fn words_of(source: &Path, target: &Target) -> Vec<String> {
    let mut words = vec![
        "p2v".to_owned(),
        "capture".to_owned(),
        source.display().to_string(),
        "-o".to_owned(),
    ];
    match target {
        Target::Folder { folder, .. } => words.push(folder.display().to_string()),
        Target::Far { output, name } => {
            words.push(output.clone());
            words.extend(name.iter().flat_map(|name| ["--name".to_owned(), name.clone()]));
        }
    }
    words
}

fn request(words: &[String]) -> Result<Request> {
    let parsed = Cli::try_parse_from(words).map_err(|error| Failure::refused(error.to_string()))?;
    match &parsed.command {
        Command::Capture(args) => Request::new(args),
        _ => Err(Failure::failed("the command line was not understood")),
    }
}

/// The command line as it is typed, with the mounting before it.
fn shown(words: &[String], target: &Target) -> String {
    let line = |words: &[String]| words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
    match target {
        Target::Folder {
            mount: Some(device), ..
        } => format!("{} && {}", line(&mounts::command(device).0), line(words)),
        _ => line(words),
    }
}

/// The partitions, as an owner knows them.
fn parts(plan: &Plan) -> Vec<Part> {
    let count = plan.layout.contents.len();
    let parts = plan.layout.contents.iter().enumerate().map(|(index, contents)| {
        let number = contents.partition.as_ref().map(|partition| partition.number);
        let systems = plan
            .systems
            .iter()
            .filter(|system| system.partition == number.unwrap_or(0));
        let systems: Vec<&str> = systems.map(|system| system.name.as_str()).collect();
        let with = if systems.is_empty() {
            String::new()
        } else {
            format!(", with {}", systems.join(" and "))
        };
        let kind = &contents.volume.label_of_kind;
        let name = match number {
            Some(_) => format!("partition {} of {count} ({kind}){with}", index + 1),
            None => format!("the disk ({kind}){with}"),
        };
        Part {
            range: contents.start..contents.start.saturating_add(contents.size),
            name,
        }
    });
    parts.collect()
}

//! `p2v man`: one manual page with every subcommand, from the same definitions as the command line.

use crate::cli::Cli;
use crate::error::{Failure, Result, print};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

/// Prints the manual page.
pub(crate) fn run() -> Result<()> {
    let page = render().map_err(|error| Failure::failed(format!("cannot make the manual page: {error}")))?;
    print(&page)
}

fn render() -> std::io::Result<String> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    render_subcommands(&command, "p2v", &mut page)?;
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// A section for each subcommand of `command`, and for theirs.
fn render_subcommands(command: &Command, above: &str, page: &mut Vec<u8>) -> std::io::Result<()> {
    for subcommand in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{above} {}", subcommand.get_name());
        page.extend_from_slice(format!(".SH {}\n", name.to_uppercase()).as_bytes());
        let man = Man::new(subcommand.clone());
        let mut body = Vec::new();
        man.render_synopsis_section(&mut body)?;
        man.render_description_section(&mut body)?;
        man.render_options_section(&mut body)?;
        if subcommand.get_after_help().is_some() {
            man.render_extra_section(&mut body)?;
        }
        // Sections of the subcommand become parts of its own section.
        let body = String::from_utf8_lossy(&body).replace("\n.SH ", "\n.SS ");
        let body = body
            .strip_prefix(".SH ")
            .map_or(body.clone(), |rest| format!(".SS {rest}"));
        page.extend_from_slice(body.as_bytes());
        render_subcommands(subcommand, &name, page)?;
    }
    Ok(())
}

//! What does not start, and says why.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use fealty_local::{DataDir, Error, Options, Program, start};

use crate::{Outcome, kept, name, options, processes_naming, until};

#[tokio::test]
async fn missing_programs_are_named_with_the_ways_to_get_them() -> Outcome {
    let mut options = Options::new(DataDir::Ephemeral);
    options.program_dirs = Some(Vec::new());
    let Err(error) = start(options).await else {
        return Err("servers started out of nothing".into());
    };
    assert!(
        matches!(&error, Error::Missing { missing, .. } if *missing == [Program::Postgres, Program::Redis]),
        "{error}"
    );
    let text = error.to_string();
    for part in [
        "--install",
        "FEALTY_INSTALL=1",
        "apt-get install redis-server",
        "--postgres-url",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_whose_first_start_failed_can_be_started() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut without_programs = Options::new(DataDir::Kept(folder.path().to_owned()));
    without_programs.program_dirs = Some(Vec::new());
    assert!(matches!(
        start(without_programs).await,
        Err(Error::Missing { .. })
    ));
    start(kept(&folder)).await?.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_given_server_that_does_not_answer_is_named_without_its_password() -> Outcome {
    let mut options = Options::new(DataDir::Ephemeral);
    options.postgres_url = Some("postgres://app:secret@127.0.0.1:1/app".into());
    let Err(error) = start(options).await else {
        return Err("nobody answered, and it went through".into());
    };
    let text = error.to_string();
    assert!(
        text.starts_with("the given Postgres does not answer at postgres://app:***@127.0.0.1:1/app: "),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_folder_with_something_else_in_it_is_left_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("thesis.txt"), "mine")?;
    assert!(matches!(start(kept(&folder)).await, Err(Error::NotOurs { .. })));
    assert_eq!(fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_roots_postgres_cannot_reach_is_named() -> Outcome {
    if !nix::unistd::geteuid().is_root() {
        // Anybody else runs Postgres as themselves, who can reach what they made.
        return Ok(());
    }
    let closed = tempfile::tempdir()?;
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700))?;
    let folder = closed.path().join("data");
    let Err(error) = start(options(DataDir::Kept(folder.clone()))).await else {
        return Err("it went through".into());
    };
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(name(&folder)), "{error}");
    Ok(())
}

#[tokio::test]
async fn data_of_another_major_version_is_refused_with_both_versions_named() -> Outcome {
    let folder = tempfile::tempdir()?;
    start(kept(&folder)).await?.stop().await?;
    fs::write(folder.path().join("postgres/data/PG_VERSION"), "12\n")?;
    let Err(Error::OtherVersion {
        made_by, installed, ..
    }) = start(kept(&folder)).await
    else {
        return Err("it went through".into());
    };
    assert_eq!(made_by, 12);
    assert!(!installed.is_empty());
    assert!(!folder.path().join("fealty.lock").exists());
    Ok(())
}

#[tokio::test]
async fn a_log_is_shown_when_a_server_does_not_start() -> Outcome {
    let folder = tempfile::tempdir()?;
    start(kept(&folder)).await?.stop().await?;
    fs::write(
        folder.path().join("postgres/data/postgresql.conf"),
        "no_such_setting = 1\n",
    )?;
    let Err(error) = start(kept(&folder)).await else {
        return Err("it went through".into());
    };
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    until("no process is left", || {
        processes_naming(name(folder.path())).is_empty()
    })
}

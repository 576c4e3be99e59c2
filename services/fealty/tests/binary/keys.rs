//! `fealty keys`.

use std::time::{Duration, Instant};

use crate::run::{Outcome, Up, fealty, output, printed, text};

/// What the suite promises: a revocation holds everywhere within this time.
const REVOCATION_BOUND: Duration = Duration::from_secs(5);

/// A method of each service that the key may call.
const METHODS: [&str; 2] = ["ProgramService/GetProgram", "UnitService/ListUnits"];

#[test]
fn a_key_works_on_both_services_until_it_is_revoked_on_both() -> Outcome {
    let suite = Up::start(["--ephemeral"])?;
    let folder = suite.folder.to_str().ok_or("no text")?;

    let mut create = fealty([
        "keys",
        "create",
        "--data-dir",
        folder,
        "--program",
        &suite.program_id,
    ]);
    create.args([
        "--scopes",
        "programs-read,units-read",
        "--name",
        "till 1",
        "--expires",
        "90d",
    ]);
    let key = printed(create)?.trim().to_owned();
    let short_id = key.split('_').nth(1).ok_or("no short id")?.to_owned();
    for method in METHODS {
        let answer = suite.call(&key, method, "{}")?;
        assert!(answer.status.success(), "{}", text(&answer.stderr));
    }
    let refused = suite.call(&key, "UnitService/CreateUnit", "{}")?;
    assert!(
        text(&refused.stderr).contains("SCOPE_MISSING"),
        "{}",
        text(&refused.stderr)
    );

    let listed = printed(fealty(["keys", "list", "--data-dir", folder]))?;
    let line = listed
        .lines()
        .find(|line| line.contains(&short_id))
        .ok_or("not listed")?;
    assert!(line.contains("till 1") && line.contains("units-read"), "{line}");
    let secret = key.rsplit('_').next().ok_or("no secret")?;
    assert!(!listed.contains(secret));

    printed(fealty(["keys", "revoke", &short_id, "--data-dir", folder]))?;
    let revoked = Instant::now();
    for method in METHODS {
        loop {
            let answer = suite.call(&key, method, "{}")?;
            if !answer.status.success() {
                assert!(
                    text(&answer.stderr).contains("Unauthenticated"),
                    "{}",
                    text(&answer.stderr)
                );
                break;
            }
            assert!(revoked.elapsed() < REVOCATION_BOUND, "{method} still takes it");
        }
    }
    let listed = printed(fealty([
        "keys",
        "list",
        "--data-dir",
        folder,
        "--program",
        &suite.program_id,
    ]))?;
    let line = listed
        .lines()
        .find(|line| line.contains(&short_id))
        .ok_or("not listed")?;
    assert!(line.contains("revoked"), "{line}");
    Ok(())
}

#[test]
fn a_new_program_comes_with_its_first_key_and_sees_nothing_of_others() -> Outcome {
    let suite = Up::start(["--ephemeral"])?;
    let folder = suite.folder.to_str().ok_or("no text")?;
    let mut create = fealty(["keys", "create", "--data-dir", folder, "--new-program", "Books"]);
    create.args([
        "--time-zone",
        "Europe/London",
        "--currency",
        "GBP",
        "--scopes",
        "all",
        "--name",
        "first",
    ]);
    let key = printed(create)?.trim().to_owned();
    let answer = suite.call(&key, "ProgramService/GetProgram", "{}")?;
    let told = text(&answer.stdout);
    assert!(told.contains("Books") && told.contains("Europe/London"), "{told}");
    assert!(!told.contains(&suite.program_id), "{told}");
    Ok(())
}

#[test]
fn what_cannot_be_a_key_is_refused_before_anything_is_asked() -> Outcome {
    for args in [
        // Nobody's.
        &["--scopes", "all"][..],
        // A program without its money.
        &["--new-program", "Books", "--scopes", "all"],
        // No such scope.
        &["--suite", "--scopes", "members-eat"],
    ] {
        let mut create = fealty(["keys", "create", "--name", "x"]);
        create.args(args);
        let refused = output(create)?;
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{args:?}: {}",
            text(&refused.stderr)
        );
    }
    Ok(())
}

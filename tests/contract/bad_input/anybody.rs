//! What is the same for every method: who calls, and whether what they send is a message at all.

use fealty_proto::access::v1::Scope;
use fealty_proto::{MemberAccess, Method};
use tonic::Code;

use super::case::{Caller, Case, Expected, invalid, refused};
use super::world::World;

/// More than any message may have.
const TOO_LARGE_BYTES: usize = 5_000_000;
/// A field with a length that the message does not have.
const NO_MESSAGE: [u8; 2] = [0x0A, 0xFF];
/// The form of a key with a wrong checksum.
const DAMAGED_KEY: &str = "fealty_abcdefghijkl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The cases of a method.
pub fn cases(world: &World, path: &str, method: Method) -> Vec<Case> {
    let scope = method.scope.expect("every method has its scope");
    let mut cases = keys(world, path, scope);
    cases.extend(messages(world, path));
    cases.extend(programs(world, path, method));
    cases.extend(member_tokens(world, path, method));
    cases
}

/// Whatever the method, nobody learns or does by a member token what concerns somebody else.
fn member_tokens(world: &World, path: &str, method: Method) -> Vec<Case> {
    let denied = || refused(Code::PermissionDenied, "MEMBER_TOKEN_DENIED");
    let case = |what, message| Case {
        message,
        ..case(path, what, bearer(&world.member_token), denied())
    };
    match method.member_access {
        MemberAccess::Open => Vec::new(),
        MemberAccess::Denied => vec![case("a member token", Vec::new())],
        MemberAccess::Own(field) => vec![
            case("a member token, about nobody", Vec::new()),
            case(
                "a member token, about somebody else",
                naming(field, &world.theirs.member_id),
            ),
            case(
                "a member token, about its member and then somebody else",
                [
                    naming(field, &world.ours.member_id),
                    naming(field, &world.theirs.member_id),
                ]
                .concat(),
            ),
        ],
    }
}

/// A message with that text in that field.
fn naming(field: u32, text: &str) -> Vec<u8> {
    let mut message = Vec::new();
    prost::encoding::string::encode(field, &text.to_owned(), &mut message);
    message
}

fn case(path: &str, what: &'static str, caller: Caller, expected: Expected) -> Case {
    Case {
        path: path.to_owned(),
        what,
        message: Vec::new(),
        caller,
        expected,
    }
}

fn bearer(key: &str) -> Caller {
    Caller {
        key: Some(key.to_owned()),
        program_id: None,
    }
}

fn keys(world: &World, path: &str, scope: Scope) -> Vec<Case> {
    let nobody = Caller {
        key: None,
        program_id: None,
    };
    let case = |what, caller, expected| case(path, what, caller, expected);
    vec![
        case("no key", nobody, refused(Code::Unauthenticated, "KEY_MISSING")),
        case(
            "no key but a word",
            bearer("please"),
            refused(Code::Unauthenticated, "KEY_INVALID"),
        ),
        case(
            "a damaged key",
            bearer(DAMAGED_KEY),
            refused(Code::Unauthenticated, "KEY_INVALID"),
        ),
        case(
            "a key that nobody made",
            bearer(&world.unknown_key),
            refused(Code::Unauthenticated, "KEY_INVALID"),
        ),
        case(
            "a revoked key",
            bearer(&world.revoked_key),
            refused(Code::Unauthenticated, "KEY_REVOKED"),
        ),
        case(
            "a key without the scope",
            bearer(world.key_without(scope)),
            refused(Code::PermissionDenied, "SCOPE_MISSING"),
        ),
    ]
}

fn messages(world: &World, path: &str) -> Vec<Case> {
    let good = world.caller_of(path);
    let case = |what, expected| case(path, what, good.clone(), expected);
    vec![
        Case {
            message: NO_MESSAGE.to_vec(),
            ..case("bytes that are no message", invalid(&[""]))
        },
        Case {
            message: vec![0; TOO_LARGE_BYTES],
            ..case(
                "five megabytes",
                refused(Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            )
        },
    ]
}

fn programs(world: &World, path: &str, method: Method) -> Vec<Case> {
    let case = |what, caller, expected| case(path, what, caller, expected);
    let denied = || refused(Code::PermissionDenied, "PROGRAM_DENIED");
    if method.suite_wide {
        // The other scopes of such methods no key of a program can hold.
        let of_program = (method.scope == Some(Scope::ProgramsRead)).then(|| bearer(&world.shop.key));
        return of_program
            .map(|caller| case("a key of one program", caller, denied()))
            .into_iter()
            .collect();
    }
    let elsewhere = Caller {
        key: Some(world.shop.key.clone()),
        program_id: Some(world.other.program_id.to_string()),
    };
    let nowhere = Caller {
        key: Some(world.suite_key.clone()),
        program_id: Some("0198c0de-0000-7000-8000-000000000000".to_owned()),
    };
    let mut cases = vec![case("a program that there is not", nowhere, denied())];
    // Else it means all programs.
    if !method.program_optional {
        cases.push(case(
            "a key of the suite and no program",
            bearer(&world.suite_key),
            refused(Code::InvalidArgument, "PROGRAM_REQUIRED"),
        ));
    }
    if world.caller_of(path).key.as_ref() == Some(&world.shop.key) {
        cases.push(case("another program's header", elsewhere, denied()));
    }
    cases
}

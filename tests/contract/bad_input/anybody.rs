//! What is the same for every method: who calls, and whether what they send is a message at all.

use fealty_proto::Method;
use fealty_proto::access::v1::Scope;
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
    let caller = |key: &str| Caller {
        key: Some(key.to_owned()),
        program_id: None,
    };
    let case = |what: &'static str, caller: Caller, expected: Expected| Case {
        path: path.to_owned(),
        what,
        message: Vec::new(),
        caller,
        expected,
    };
    let nobody = Caller {
        key: None,
        program_id: None,
    };
    let good = world.caller_of(path);
    let scope = method.scope.expect("every method has its scope");
    let mut cases = vec![
        case("no key", nobody, refused(Code::Unauthenticated, "KEY_MISSING")),
        case(
            "no key but a word",
            caller("please"),
            refused(Code::Unauthenticated, "KEY_INVALID"),
        ),
        case(
            "a damaged key",
            caller(DAMAGED_KEY),
            refused(Code::Unauthenticated, "KEY_INVALID"),
        ),
        case(
            "a key that nobody made",
            caller(&world.unknown_key),
            refused(Code::Unauthenticated, "KEY_INVALID"),
        ),
        case(
            "a revoked key",
            caller(&world.revoked_key),
            refused(Code::Unauthenticated, "KEY_REVOKED"),
        ),
        case(
            "a key without the scope",
            caller(world.key_without(scope)),
            refused(Code::PermissionDenied, "SCOPE_MISSING"),
        ),
        Case {
            message: NO_MESSAGE.to_vec(),
            ..case("bytes that are no message", good.clone(), invalid(&[""]))
        },
        Case {
            message: vec![0; TOO_LARGE_BYTES],
            ..case(
                "five megabytes",
                good.clone(),
                refused(Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            )
        },
    ];
    if method.suite_wide {
        if scope == Scope::ProgramsRead {
            let denied = refused(Code::PermissionDenied, "PROGRAM_DENIED");
            cases.push(case("a key of one program", caller(&world.shop.key), denied));
        }
        return cases;
    }
    let elsewhere = Caller {
        key: Some(world.shop.key.clone()),
        program_id: Some(world.other.program_id.to_string()),
    };
    let nowhere = Caller {
        key: Some(world.suite_key.clone()),
        program_id: Some("0198c0de-0000-7000-8000-000000000000".to_owned()),
    };
    if good.key.as_ref() == Some(&world.shop.key) {
        let denied = refused(Code::PermissionDenied, "PROGRAM_DENIED");
        cases.push(case("another program's header", elsewhere, denied));
    }
    cases.extend([
        case(
            "a key of the suite and no program",
            caller(&world.suite_key),
            refused(Code::InvalidArgument, "PROGRAM_REQUIRED"),
        ),
        case(
            "a program that there is not",
            nowhere,
            refused(Code::PermissionDenied, "PROGRAM_DENIED"),
        ),
    ]);
    cases
}

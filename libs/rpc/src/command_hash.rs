//! What a request id is bound to: the same id with another command is refused.

use prost::Message;
use sha2::{Digest, Sha256};

/// SHA-256 over the method and the command in its numbered form, which is not what came over the wire: fields in the
/// order of their numbers, those at their default left out, those that this build does not know dropped.
///
/// `command` is the request with `request_id` cleared: what is the same command may be sent as another attempt.
#[must_use]
pub fn command_hash(method: &str, command: &impl Message) -> [u8; 32] {
    let mut hash = Sha256::new();
    // With its length before it, no method's name runs into the command.
    hash.update((method.len() as u64).to_be_bytes());
    hash.update(method.as_bytes());
    hash.update(command.encode_to_vec());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use fealty_proto::members::v1::GetMemberRequest;

    use super::*;

    fn member(member_id: &str) -> GetMemberRequest {
        GetMemberRequest {
            member_id: member_id.to_owned(),
        }
    }

    #[test]
    fn commands_and_methods_have_hashes_of_their_own() {
        assert_eq!(
            command_hash("/a/B", &member("1")),
            command_hash("/a/B", &member("1"))
        );
        assert_ne!(
            command_hash("/a/B", &member("1")),
            command_hash("/a/B", &member("2"))
        );
        assert_ne!(
            command_hash("/a/B", &member("1")),
            command_hash("/a/C", &member("1"))
        );
    }

    #[test]
    fn wire_bytes_do_not_matter() {
        // A field at its default that is sent all the same, and one that nobody knows.
        let wire = [0x0A, 0x00, 0x98, 0x06, 0x01];
        let read = GetMemberRequest::decode(wire.as_slice()).expect("a message");
        assert_eq!(command_hash("/a/B", &read), command_hash("/a/B", &member("")));
    }
}

//! Fealty's protobufs in Rust: messages, clients and servers for each package below `proto/fealty`.
//!
//! `fealty.members.v1` is [`members::v1`], and so on; `fealty.type.v1` is [`types::v1`], because `type` is a keyword.
//!
//! The code below `src/gen` is made from the protos by `cargo test -p fealty-proto --test bindings` and checked in, so
//! that a build needs neither `protoc` nor a build script. That test also fails when the two differ.

mod generated;
mod method;

/// Another name for [`mod@type`], without the keyword.
pub use generated::r#type as types;
pub use generated::{access, events, ledger, members, rewards, surveys, r#type};
pub use method::{MemberAccess, Method, method, methods};

/// Every proto with what it imports, encoded as a `google.protobuf.FileDescriptorSet`: for server reflection and for
/// reading the options of methods. Encoded, because decoding it with `prost-types` loses the options.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptor.bin");

//! Holds the conventions of `proto/README.md`, over the compiled protos: `cargo test` is enough, without buf.

mod comments;
mod methods;
mod names;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

use crate::protos::{Failure, compile};

/// What is ours among the compiled protos; Google's have a style of their own.
pub struct Protos {
    pool: DescriptorPool,
}

impl Protos {
    pub fn read() -> Result<Self, Failure> {
        Ok(Self {
            pool: compile()?.include_source_info(true).descriptor_pool(),
        })
    }

    pub fn files(&self) -> impl Iterator<Item = FileDescriptor> {
        self.pool.files().filter(is_ours)
    }

    pub fn messages(&self) -> impl Iterator<Item = MessageDescriptor> {
        self.pool
            .all_messages()
            .filter(|message| is_ours(&message.parent_file()) && !message.is_map_entry())
    }

    pub fn enums(&self) -> impl Iterator<Item = EnumDescriptor> {
        self.pool.all_enums().filter(|item| is_ours(&item.parent_file()))
    }

    pub fn services(&self) -> impl Iterator<Item = ServiceDescriptor> {
        self.pool
            .services()
            .filter(|service| is_ours(&service.parent_file()))
    }

    pub fn methods(&self) -> Vec<MethodDescriptor> {
        self.services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .collect()
    }
}

fn is_ours(file: &FileDescriptor) -> bool {
    !file.package_name().starts_with("google.")
}

/// Fails with everything that breaks the rule, not only the first.
pub fn assert_none(violations: &[String], rule: &str) {
    assert!(violations.is_empty(), "{rule}:\n{}", violations.join("\n"));
}

/// `ApiKey` is `api_key`.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

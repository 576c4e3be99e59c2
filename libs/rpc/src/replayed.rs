//! The mark on an answer that an earlier attempt of the same request was given.

use tonic::Response;
use tonic::metadata::{MetadataMap, MetadataValue};

/// The header that a replayed answer carries, with the value `true`. An answer given for the first time has none.
pub const REPLAYED_HEADER: &str = "fealty-replayed";

/// Marks an answer's metadata: a response's, or those of the refusal that was the first answer.
pub fn mark(metadata: &mut MetadataMap) {
    metadata.insert(REPLAYED_HEADER, MetadataValue::from_static("true"));
}

/// A response, marked if it was given before.
#[must_use]
pub fn response<T>(message: T, replayed: bool) -> Response<T> {
    let mut response = Response::new(message);
    if replayed {
        mark(response.metadata_mut());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_replayed_answer_is_marked() {
        assert!(response((), false).metadata().get(REPLAYED_HEADER).is_none());
        assert_eq!(
            response((), true)
                .metadata()
                .get(REPLAYED_HEADER)
                .expect("marked"),
            "true"
        );
    }
}

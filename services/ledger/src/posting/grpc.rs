//! How answers are stored and sent.

use fealty_rpc::errors::ApiError;
use fealty_rpc::replayed;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Code, Response, Status};
use tonic_types::pb;

use super::call::Answer;
use crate::refusal::Refusal;

/// A refusal as a `google.rpc.Status`: stored as the answer, and sent byte for byte to every retry.
pub(super) fn encode_refusal(refusal: &Refusal) -> Vec<u8> {
    ApiError::from(refusal.clone()).to_status().details().to_vec()
}

/// An answer as the method's result: a response, or the refusal that was decided.
pub fn respond<M: Message + Default>(answer: &Answer) -> Result<Response<M>, Status> {
    Ok(replayed::response(read(answer)?, answer.replayed))
}

/// The same without the response's metadata.
pub fn read<M: Message + Default>(answer: &Answer) -> Result<M, Status> {
    if answer.accepted {
        Ok(decode::<M>(&answer.message)?)
    } else {
        Err(refuse(answer)?)
    }
}

fn refuse(answer: &Answer) -> Result<Status, ApiError> {
    let status = decode::<pb::Status>(&answer.message)?;
    let mut metadata = MetadataMap::new();
    if answer.replayed {
        replayed::mark(&mut metadata);
    }
    let details = answer.message.clone().into();
    Ok(Status::with_details_and_metadata(
        Code::from(status.code),
        status.message,
        details,
        metadata,
    ))
}

fn decode<M: Message + Default>(message: &[u8]) -> Result<M, ApiError> {
    M::decode(message).map_err(|error| ApiError::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fealty_proto::ledger::v1::GetOwnerResponse;
    use fealty_proto::types::v1::ErrorReason;
    use fealty_rpc::errors::reason_of;

    #[test]
    fn a_remembered_refusal_is_sent_as_the_first_time_and_marked() {
        let refusal = Refusal::AmountOverflow("points".parse().unwrap());
        let answer = |replayed| Answer {
            accepted: false,
            replayed,
            message: encode_refusal(&refusal),
        };
        let first = respond::<GetOwnerResponse>(&answer(false)).unwrap_err();
        let again = respond::<GetOwnerResponse>(&answer(true)).unwrap_err();
        assert_eq!(reason_of(&first), Some(ErrorReason::AmountOverflow));
        assert_eq!(
            (first.code(), first.message(), first.details()),
            (again.code(), again.message(), again.details())
        );
        assert!(first.metadata().get(replayed::REPLAYED_HEADER).is_none());
        assert!(again.metadata().get(replayed::REPLAYED_HEADER).is_some());
    }
}

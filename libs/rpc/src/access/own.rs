//! Holds a member token to its member: the request is read before anybody serves it, and names the token's member or is
//! refused. Methods need not think of it, and none can forget it.

use bytes::{Buf as _, Bytes, BytesMut};
use fealty_proto::MemberAccess;
use fealty_types::MemberId;
use http::Request;
use http_body::{Body as _, Frame};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;

use crate::errors::ApiError;

/// A gRPC message begins with a byte that says whether it is compressed, and four of its length.
const HEAD_BYTES: usize = 5;

/// Largest request that is read for it. What members ask of the suite is a fraction of that.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The request, if it is about that member and nobody else.
pub(super) async fn check(
    request: Request<Body>,
    access: MemberAccess,
    member_id: MemberId,
) -> Result<Request<Body>, ApiError> {
    let field = match access {
        MemberAccess::Denied => {
            return Err(ApiError::member_token_denied(
                "The method takes no member tokens.",
            ));
        }
        MemberAccess::Open => return Ok(request),
        MemberAccess::Own(field) => field,
    };
    let (parts, body) = request.into_parts();
    let read = read(body).await?;
    let named = named_in(&read, field)?;
    if named.parse() == Ok(member_id) {
        Ok(Request::from_parts(parts, Body::new(Read(Some(read)))))
    } else {
        Err(ApiError::member_token_denied(
            "The token speaks for another member than the request is about.",
        ))
    }
}

/// All of a body. More than a member's request ever is, is none.
async fn read(body: Body) -> Result<Bytes, ApiError> {
    let mut body = pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        // Whoever breaks off is not there to be told.
        let frame = frame.map_err(|_| ApiError::member_token_denied("The request broke off."))?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.remaining() > REQUEST_BYTES_MAX {
                return Err(ApiError::message_too_large(REQUEST_BYTES_MAX));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// What the field of the one message says. The last of several counts, as for whoever decodes it: so there must be one.
fn named_in(body: &Bytes, field: u32) -> Result<String, ApiError> {
    let unreadable = || ApiError::member_token_denied("The request is not one whole message.");
    if body.first().is_some_and(|flag| *flag != 0) {
        return Err(ApiError::member_token_denied(
            "Requests with a member token are sent uncompressed.",
        ));
    }
    let length = body.get(1..HEAD_BYTES).ok_or_else(unreadable)?;
    let length = length
        .iter()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    let mut message = body.slice(HEAD_BYTES..);
    if message.len() != length {
        return Err(unreadable());
    }
    let mut named = None;
    while message.has_remaining() {
        let (number, wire_type) = decode_key(&mut message).map_err(|_| unreadable())?;
        if number == field && wire_type == WireType::LengthDelimited {
            if named.is_some() {
                return Err(unreadable());
            }
            named = Some(text_of(&mut message).ok_or_else(unreadable)?);
        } else {
            skip_field(wire_type, number, &mut message, DecodeContext::default())
                .map_err(|_| unreadable())?;
        }
    }
    Ok(named.unwrap_or_default())
}

fn text_of(message: &mut Bytes) -> Option<String> {
    let length = usize::try_from(decode_varint(message).ok()?).ok()?;
    if length > message.len() {
        return None;
    }
    String::from_utf8(message.split_to(length).to_vec()).ok()
}

/// A body that was read already.
struct Read(Option<Bytes>);

impl http_body::Body for Read {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use fealty_proto::ledger::v1::{GetBalanceRequest, ListLotsRequest};
    use prost::Message;

    use super::*;

    fn framed(message: &[u8]) -> Bytes {
        let mut body = vec![0];
        body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend_from_slice(message);
        body.into()
    }

    #[test]
    fn the_field_is_found_among_others() {
        let request = ListLotsRequest {
            owner_id: "me".to_owned(),
            unit_code: "points".to_owned(),
            page_size: 5,
            ..Default::default()
        };
        assert_eq!(named_in(&framed(&request.encode_to_vec()), 1).unwrap(), "me");
        let nobody = GetBalanceRequest::default();
        assert_eq!(named_in(&framed(&nobody.encode_to_vec()), 1).unwrap(), "");
    }

    #[test]
    fn whoever_names_two_is_refused() {
        let one = GetBalanceRequest {
            owner_id: "me".to_owned(),
            ..Default::default()
        };
        let other = GetBalanceRequest {
            owner_id: "you".to_owned(),
            ..Default::default()
        };
        let mut both = one.encode_to_vec();
        both.extend(other.encode_to_vec());
        assert!(named_in(&framed(&both), 1).is_err());
    }

    #[test]
    fn what_is_compressed_cut_off_or_followed_by_more_is_refused() {
        let request = GetBalanceRequest {
            owner_id: "me".to_owned(),
            ..Default::default()
        };
        let whole = framed(&request.encode_to_vec());
        let mut compressed = whole.to_vec();
        compressed[0] = 1;
        let mut more = whole.to_vec();
        more.extend_from_slice(&whole);
        for body in [
            compressed.into(),
            more.into(),
            whole.slice(..whole.len() - 1),
            Bytes::new(),
        ] {
            assert!(named_in(&body, 1).is_err(), "{body:?}");
        }
    }
}

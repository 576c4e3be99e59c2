//! gRPC calls as bytes: what a client with other stubs, or none, puts on the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

/// What a call may take: more means that something hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// A connection that calls methods by their path.
#[derive(Debug, Clone)]
pub struct Raw {
    channel: Channel,
}

/// An answer's bytes and what came with it.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The message.
    pub message: Bytes,
    /// The headers.
    pub metadata: MetadataMap,
}

/// A refusal, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// Of the `ErrorInfo`; empty without one.
    pub reason: String,
    /// Of the `ErrorInfo`.
    pub metadata: BTreeMap<String, String>,
    /// The fields that the `BadRequest` names, in its order.
    pub fields: Vec<String>,
    /// What the service says.
    pub message: String,
}

impl Raw {
    /// Connects with the first call.
    ///
    /// # Panics
    /// When the address is none.
    #[must_use]
    pub fn to(url: &str) -> Self {
        let endpoint = Endpoint::from_shared(url.to_owned()).expect("an address");
        Self {
            channel: endpoint.connect_lazy(),
        }
    }

    /// Calls a method.
    pub async fn call(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        message: impl Into<Bytes>,
    ) -> Result<RawAnswer, Status> {
        let mut client = self.ready().await?;
        let path = PathAndQuery::try_from(path).expect("a path");
        let response = client.unary(request(headers, message), path, BytesCodec).await?;
        let (metadata, message, _) = response.into_parts();
        Ok(RawAnswer { message, metadata })
    }

    /// Calls a method that answers with a stream.
    pub async fn open(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        message: impl Into<Bytes>,
    ) -> Result<Streaming<Bytes>, Status> {
        let mut client = self.ready().await?;
        let path = PathAndQuery::try_from(path).expect("a path");
        let response = client
            .server_streaming(request(headers, message), path, BytesCodec)
            .await?;
        Ok(response.into_inner())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let mut client = Grpc::new(self.channel.clone());
        let ready = client.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(client)
    }
}

fn request(headers: &[(&'static str, &str)], message: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(message.into());
    request.set_timeout(DEADLINE);
    for (name, value) in headers {
        let value = value.parse().expect("a header's value");
        request.metadata_mut().insert(*name, value);
    }
    request
}

impl RawAnswer {
    /// Whether it is the answer of an earlier attempt.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.metadata
            .get("fealty-replayed")
            .is_some_and(|value| value == "true")
    }
}

impl Refusal {
    /// Takes a status apart.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details.bad_request().map_or_else(Vec::new, |bad| {
            let violations = bad.field_violations.iter();
            violations.map(|violation| violation.field.clone()).collect()
        });
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            metadata: info
                .map(|info| info.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            fields,
            message: status.message().to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

//! Opens a stream of answers at one replica.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tokio::time::timeout;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::{ANSWER_SIZE_MAX_BYTES, Caller, ENDED_COUNT_MAX};
use crate::connections::{Connection, was_never_taken};

/// A stream that is open.
#[derive(Debug)]
pub(crate) struct OpenStream<Res> {
    messages: Streaming<Res>,
    connection: Arc<Connection>,
}

impl<Res> OpenStream<Res> {
    /// The next answer; None when the replica has ended the stream in good order.
    pub(crate) async fn next(&mut self) -> Result<Option<Res>, Status> {
        let next = self.messages.message().await;
        next.inspect_err(|status| self.connection.learn(status))
    }
}

impl Caller {
    /// Opens a stream at a replica that was not tried yet, if there is one. It has no deadline; that it opens has.
    pub(crate) async fn open<Req, Res>(
        &self,
        method: &'static str,
        request: &Req,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<OpenStream<Res>, Status>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        let opening = self.open_somewhere(method, request, tried);
        timeout(self.deadline, opening)
            .await
            .unwrap_or_else(|_| Err(Status::unavailable("the stream did not open in time")))
    }

    /// How long to wait before a stream is opened again that has failed that often in a row.
    pub(crate) fn pause_before_reopening(&self, status: &Status, failure_count: u32) -> Duration {
        self.shared.retries.pause_before_reopening(status, failure_count)
    }

    async fn open_somewhere<Req, Res>(
        &self,
        method: &'static str,
        request: &Req,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<OpenStream<Res>, Status>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        let mut ended_count = 0;
        loop {
            let connection = self.shared.connections.next(tried).await?;
            let status = match self.open_at(&connection, method, request).await {
                Ok(messages) => return Ok(OpenStream { messages, connection }),
                Err(status) => status,
            };
            connection.learn(&status);
            if was_never_taken(&status) && ended_count < ENDED_COUNT_MAX {
                ended_count += 1;
                continue;
            }
            // Once: a stream is opened for as long as it takes, and the list must not grow with that.
            if !tried.contains(&connection.address()) {
                tried.push(connection.address());
            }
            return Err(status);
        }
    }

    async fn open_at<Req, Res>(
        &self,
        connection: &Connection,
        method: &'static str,
        request: &Req,
    ) -> Result<Streaming<Res>, Status>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        let mut grpc =
            tonic::client::Grpc::new(connection.channel()).max_decoding_message_size(ANSWER_SIZE_MAX_BYTES);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::from_error(Box::new(error)))?;
        let mut outgoing = Request::new(request.clone());
        self.write_headers(outgoing.metadata_mut());
        let path = PathAndQuery::from_static(method);
        let codec = ProstCodec::<Req, Res>::default();
        Ok(grpc.server_streaming(outgoing, path, codec).await?.into_inner())
    }
}

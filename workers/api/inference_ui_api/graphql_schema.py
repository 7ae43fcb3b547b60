"""The GraphQL schema: its text, and the resolvers put to it. Built once an isolate, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, build_schema

from . import resolvers
from .long_int import use_long_int

SDL = '''
"""Any JSON value."""
scalar JSON

type Query {
  "The version of the API."
  version: String!
  "Whether the bindings work."
  health: Health!
  "The newest events first."
  events(
    limit: Int = 50
    offset: Int = 0
    "The events' name."
    type: String
    component: String
    userId: String
    sessionId: String
    "Only the last of these: 24h, 7d, 30d ..., as hours (h), days (d) or weeks (w)."
    period: String
    filter: EventFilter
  ): [Event!]!
  event(id: ID!): Event
  "The newest events of a user first."
  userEvents(userId: ID!, limit: Int = 50): [Event!]!
  "The newest events of a component first."
  componentEvents(componentId: ID!, limit: Int = 50): [Event!]!
  eventCount(type: String, period: String, filter: EventFilter): Int!
  "Figures of a time range, both ends included, in milliseconds since the epoch."
  analytics(
    "Only this user's events."
    userId: ID
    startDate: Int!
    endDate: Int!
    "Of events, users, sessions, eventsPerSession; all of them where it is left out."
    metrics: [String!]
    "Of event, component, user, session, and the periods hour, day, week, month (UTC; a week is named by its Monday)."
    groupBy: String
  ): Analytics!
  "What generations cost, by model, the most used first."
  aiUsage(period: String): [ModelUsage!]!
  "The newest flows first."
  flows(limit: Int = 100, offset: Int = 0): [Flow!]!
  flow(id: ID!): Flow
}

type Mutation {
  "Store one event."
  trackEvent(input: EventInput!): Boolean!
  "Store events; an id that was used before is not stored again."
  recordEvents(events: [EventInput!]!): RecordedEvents!
  createFlow(input: CreateFlowInput!): Flow!
  deleteFlow(id: ID!): Deleted!
}

type Health {
  "healthy or unhealthy."
  status: String!
  timestamp: Int!
  checks: [Check!]!
}

type Check {
  binding: String!
  ok: Boolean!
  ms: Int!
  error: String
}

type Event {
  id: ID!
  "The event's name; the same as `event`."
  type: String!
  event: String!
  component: String
  "The same as `properties`."
  data: JSON!
  properties: JSON!
  metadata: JSON
  userId: String
  sessionId: String!
  "Milliseconds since the epoch."
  timestamp: Int!
}

type Analytics {
  "Figure by name."
  metrics: JSON!
  "With groupBy: a list of {key, value}, the value being the number of events."
  breakdown: JSON
}

type ModelUsage {
  model: String!
  requests: Int!
  errors: Int!
  cancelled: Int!
  promptTokens: Int!
  completionTokens: Int!
  "The mean, of the generations that had a token."
  firstTokenMs: Float
}

type Flow {
  id: ID!
  userId: ID!
  name: String!
  steps: JSON!
  "ISO 8601."
  createdAt: String!
  updatedAt: String!
}

type RecordedEvents {
  processed: Int!
  errors: Int!
  duplicates: Int!
  failures: [EventFailure!]!
}

type EventFailure {
  "The event's place in the list, from 0."
  index: Int!
  id: ID
  field: String!
  message: String!
}

type Deleted {
  success: Boolean!
}

"Narrows a list of events; times are milliseconds since the epoch, both included."
input EventFilter {
  type: String
  component: String
  userId: String
  sessionId: String
  from: Int
  to: Int
}

input EventInput {
  id: ID
  event: String!
  component: String
  properties: JSON
  metadata: JSON
  userId: String
  sessionId: String
  "Milliseconds since the epoch; now where it is left out."
  timestamp: Int
}

input CreateFlowInput {
  name: String!
  steps: JSON!
}
'''

_RESOLVERS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "Query": {
        "version": resolvers.version,
        "health": resolvers.health,
        "events": resolvers.events,
        "event": resolvers.event,
        "userEvents": resolvers.user_events,
        "componentEvents": resolvers.component_events,
        "eventCount": resolvers.event_count,
        "analytics": resolvers.analytics,
        "aiUsage": resolvers.ai_usage,
        "flows": resolvers.flows,
        "flow": resolvers.flow,
    },
    "Mutation": {
        "trackEvent": resolvers.track_event,
        "recordEvents": resolvers.record_events,
        "createFlow": resolvers.create_flow,
        "deleteFlow": resolvers.delete_flow,
    },
}


@cache
def api_schema() -> GraphQLSchema:
    """Return the schema."""
    schema = build_schema(SDL)
    use_long_int(schema)
    for type_name, fields in _RESOLVERS.items():
        owner = schema.type_map[type_name]
        assert isinstance(owner, GraphQLObjectType)
        for field_name, resolve in fields.items():
            owner.fields[field_name].resolve = resolve
    return schema

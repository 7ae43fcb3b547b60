"""The text of the GraphQL schema; what the analytics worker answers is in `graphql_analytics_sdl`."""

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
  "Who calls: the owner of the API key, or who has signed in."
  me: User
  "Users of the tenant. Needs the scope admin."
  users: [User!]!
  "Keys of the tenant, the newest first, revoked ones too. Needs the scope admin."
  apiKeys: [ApiKey!]!
  usageMetrics: UsageMetrics!
  tierLimits: TierLimits!
  "Needs the scope operator."
  tenants(limit: Int = 100, offset: Int = 0): [Tenant!]!
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
  updateFlow(id: ID!, input: UpdateFlowInput!): Flow!
  deleteFlow(id: ID!): Success!
  "Make a key; its text is in this answer only. Needs the scope admin."
  createApiKey(input: CreateApiKeyInput!): CreatedApiKey!
  "Revoke the key of this prefix or id, at once. Needs the scope admin."
  revokeApiKey(keyPrefix: String!): Success!
  "Make a user who can sign in. Needs the scope admin."
  createUser(input: CreateUserInput!): User!
  "Needs the scope admin."
  deleteUser(id: ID!): Success!
  "Make a tenant, its first user and a key. Needs the scope operator."
  createTenant(input: CreateTenantInput!): CreatedTenant!
  "Needs the scope operator."
  updateTenant(id: ID!, input: UpdateTenantInput!): Tenant!
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
  "Of purchase, help, configure, interact, explore, error, submit, search, unknown; null before enrichment."
  intent: String
  "Of positive, neutral, negative; null before enrichment."
  sentiment: String
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
  aiConfig: AIConfig
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

type Success {
  success: Boolean!
}

enum UserTier { FREE DEVELOPER BUSINESS ENTERPRISE }

enum WarningLevel { OK WARNING CRITICAL EXCEEDED }

type User {
  id: ID!
  email: String!
  tier: UserTier!
  scopes: [String!]!
  "ISO 8601."
  createdAt: String!
  "Of the tenant, in the current month."
  usage: Usage!
}

type Usage {
  eventsThisMonth: Int!
  flowsCount: Int!
  aiRequestsThisMonth: Int!
}

type UsageMetrics {
  userId: ID
  tier: UserTier!
  eventsThisMonth: Int!
  "-1 is unlimited."
  eventsLimit: Int!
  aiRequestsThisMonth: Int!
  aiRequestsLimit: Int!
  usage: Usage!
  limits: UsageLimits!
  warnings: UsageWarnings!
  percentages: UsagePercentages!
}

"-1 is unlimited."
type UsageLimits {
  eventsPerMonth: Int!
  maxFlows: Int!
  aiRequestsPerMonth: Int!
}

type UsageWarnings {
  events: WarningLevel!
  flows: WarningLevel!
  aiRequests: WarningLevel!
}

type UsagePercentages {
  events: Float!
  flows: Float!
  aiRequests: Float!
}

type TierLimits {
  tier: UserTier!
  limits: UsageLimits!
  features: TierFeatures!
  dataRetentionDays: Int!
}

type TierFeatures {
  basicMetrics: Boolean!
  advancedAnalytics: Boolean!
  aiInsights: Boolean!
  customDashboards: Boolean!
  dataExport: Boolean!
  realTimeAnalytics: Boolean!
}

type ApiKey {
  id: ID!
  "The first characters of the key."
  keyPrefix: String!
  name: String!
  scopes: [String!]!
  lastUsedAt: String
  expiresAt: String
  revokedAt: String
  createdAt: String!
}

type CreatedApiKey {
  id: ID!
  "The key itself; it cannot be read again."
  apiKey: String!
  keyPrefix: String!
  name: String!
  scopes: [String!]!
  createdAt: String!
  expiresAt: String
}

type Tenant {
  id: ID!
  name: String!
  tier: UserTier!
  createdAt: String!
}

type CreatedTenant {
  tenant: Tenant!
  userId: ID!
  "The first key, with every scope; it cannot be read again."
  apiKey: String!
}

type AIConfig {
  enabled: Boolean!
  models: [String!]!
  features: [String!]!
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
  "A list."
  steps: JSON!
  aiConfig: AIConfigInput
}

"What is left out stays as it is."
input UpdateFlowInput {
  name: String
  steps: JSON
  aiConfig: AIConfigInput
}

input AIConfigInput {
  enabled: Boolean!
  models: [String!]
  features: [String!]
}

input CreateApiKeyInput {
  name: String!
  "For ever where it is left out."
  expiresInDays: Int
  "Of read, write, events, stream, assets, admin; all but admin where it is left out. A key for a browser: events."
  scopes: [String!]
  "Whether the key begins with sk_test_ in place of sk_live_."
  test: Boolean
}

input CreateUserInput {
  email: String!
  "10 to 256 characters."
  password: String!
  scopes: [String!]
}

input CreateTenantInput {
  name: String!
  email: String!
  password: String
  tier: UserTier = FREE
}

input UpdateTenantInput {
  name: String
  tier: UserTier
}
'''

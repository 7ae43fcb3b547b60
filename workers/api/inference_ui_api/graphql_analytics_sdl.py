"""The fields that the analytics worker and the events worker answer, as an extension of the schema."""

ANALYTICS_SDL = """
enum MetricType { EVENTS SESSIONS FLOWS }
enum GroupByPeriod { HOUR DAY WEEK MONTH }
enum CohortType { SIGNUP_DATE FIRST_EVENT CUSTOM }
enum PeriodType { DAY WEEK MONTH }
enum AttributionModel { FIRST_TOUCH LAST_TOUCH LINEAR TIME_DECAY POSITION_BASED }
enum AttributionGroupBy { SOURCE MEDIUM CAMPAIGN COMPONENT }

extend type Query {
  flowAnalytics(flowId: ID!, timeRange: TimeRange!): FlowAnalytics
  eventMetrics(timeRange: TimeRangeInput!): EventMetrics!
  flowMetrics(flowId: ID!, timeRange: TimeRangeInput!): FlowMetricsDetailed!
  sessionMetrics(timeRange: TimeRangeInput!): SessionMetrics!
  componentAnalytics(component: String!, timeRange: TimeRangeInput!): ComponentAnalytics!
  trendAnalysis(metric: MetricType!, timeRange: TimeRangeInput!, groupBy: GroupByPeriod = DAY): TrendData!
  funnel(id: ID!): Funnel
  "The newest first."
  userFunnels(limit: Int = 100, offset: Int = 0): [Funnel!]!
  analyzeFunnel(funnelId: ID!, timeRange: TimeRangeInput!): FunnelAnalysis!
  funnelInsights(funnelId: ID!, timeRange: TimeRangeInput!): FunnelInsights!
  cohort(id: ID!): Cohort
  "The newest first."
  userCohorts(limit: Int = 100, offset: Int = 0): [Cohort!]!
  cohortSize(cohortId: ID!, timeRange: TimeRangeInput): CohortSize!
  cohortRetention(cohortId: ID!, periodType: PeriodType = WEEK, maxPeriods: Int = 12): CohortRetention!
  compareCohorts(cohortIds: [ID!]!, periodType: PeriodType = WEEK): CohortComparison!
  attributionAnalysis(
    timeRange: TimeRangeInput!
    model: AttributionModel = LAST_TOUCH
    groupBy: AttributionGroupBy = SOURCE
  ): [AttributionResult!]!
  conversionSummary(timeRange: TimeRangeInput!): ConversionSummary!
  topConvertingPaths(timeRange: TimeRangeInput!, limit: Int = 10): [ConvertingPath!]!
  attributionModels: [AttributionModelInfo!]!
  "The newest first."
  reports(limit: Int = 100, offset: Int = 0): [Report!]!
  report(id: ID!): Report!
  "Figures of whole days, made every hour; they stay when the events are deleted. By day and name."
  eventSummaries(timeRange: TimeRangeInput!, event: String): [EventSummary!]!
  eventPipeline: EventPipeline!
  "Messages of the events' queue that could not be processed, the newest first."
  deadLetters(limit: Int = 100, offset: Int = 0): [DeadLetter!]!
}

extend type Mutation {
  createFunnel(input: CreateFunnelInput!): Funnel!
  deleteFunnel(id: ID!): Boolean!
  createCohort(input: CreateCohortInput!): Cohort!
  deleteCohort(id: ID!): Boolean!
  trackConversion(input: TrackConversionInput!): Conversion!
  "Keep an answer as it is now, as a file."
  createReport(input: CreateReportInput!): Report!
  deleteReport(id: ID!): Boolean!
  "Send dead letters again: those of the ids, or all."
  retryDeadLetters(ids: [ID!]): RetriedLetters!
  "Delete dead letters: those of the ids, or all."
  deleteDeadLetters(ids: [ID!]): DeletedLetters!
}

type Report {
  "The file is at GET /reports/<id>."
  id: ID!
  name: String!
  type: String!
  "json or csv."
  format: String!
  contentType: String!
  arguments: JSON!
  sizeBytes: Int!
  createdAt: String!
}

type EventSummary {
  "UTC."
  date: String!
  event: String!
  totalEvents: Int!
  uniqueSessions: Int!
  uniqueUsers: Int!
  sentiments: Sentiments!
  updatedAt: String!
}

type Sentiments { positive: Int! neutral: Int! negative: Int! }

type EventPipeline {
  events: Int!
  "Events that are not enriched yet."
  pending: Int!
  "Days whose summaries are to be made again."
  pendingDays: Int!
  deadLetters: Int!
}

type DeadLetter {
  id: ID!
  body: JSON
  reason: String!
  attempts: Int!
  sentAt: String!
  receivedAt: String!
}

type RetriedLetters { retried: Int! }
type DeletedLetters { deleted: Int! }

input CreateReportInput {
  "Of events, sessions, flow, component, trend, funnel, cohort, attribution, conversions, paths, streaming."
  type: String!
  format: ReportFormat = JSON
  name: String
  "Those of the type's own field, such as funnelId; without a timeRange, the last 7 days."
  arguments: JSON
}

enum ReportFormat { JSON CSV }

type FlowAnalytics {
  flowId: ID!
  completionRate: Float!
  averageDuration: Float!
  dropoffPoints: [DropoffPoint!]!
  totalSessions: Int!
}

type DropoffPoint {
  stepId: String!
  stepName: String!
  dropoffRate: Float!
}

type EventMetrics {
  totalEvents: Int!
  uniqueSessions: Int!
  uniqueUsers: Int!
  eventsByType: [EventTypeCount!]!
  eventsByComponent: [ComponentCount!]!
  trend: [TrendPoint!]!
}

type EventTypeCount { event: String! count: Int! }
type ComponentCount { component: String! count: Int! }
type TrendPoint { date: String! count: Int! }

type FlowMetricsDetailed {
  flowId: ID!
  totalSessions: Int!
  completedSessions: Int!
  completionRate: Float!
  "Milliseconds."
  averageDuration: Float!
  dropoffPoints: [DropoffPointDetailed!]!
}

type DropoffPointDetailed {
  stepId: String!
  stepName: String!
  dropoffCount: Int!
  dropoffRate: Float!
}

type SessionMetrics {
  totalSessions: Int!
  "Milliseconds."
  averageSessionDuration: Float!
  averageEventsPerSession: Float!
  sessionsByHour: [HourlyCount!]!
  topFlows: [FlowCount!]!
}

type HourlyCount { hour: Int! count: Int! }
type FlowCount { flowId: String! sessionCount: Int! }

type ComponentAnalytics {
  component: String!
  totalUsage: Int!
  uniqueUsers: Int!
  averageInteractionsPerUser: Float!
  topEvents: [EventTypeCount!]!
}

type TrendData {
  metric: String!
  groupBy: String!
  data: [TrendDataPoint!]!
}

type TrendDataPoint { timestamp: String! value: Float! }

type Funnel {
  id: ID!
  name: String!
  description: String
  steps: [FunnelStep!]!
  flowId: String
  createdAt: String!
  updatedAt: String!
}

type FunnelStep {
  id: ID!
  name: String!
  event: String
  component: String
  orderIndex: Int!
}

type FunnelAnalysis {
  funnelId: ID!
  funnelName: String!
  timeRange: TimeRangeOutput!
  totalEntered: Int!
  totalCompleted: Int!
  overallConversion: Float!
  averageCompletionTime: Float!
  steps: [FunnelStepAnalysis!]!
  bottleneckStepId: String
}

type FunnelStepAnalysis {
  stepId: ID!
  stepName: String!
  orderIndex: Int!
  totalUsers: Int!
  conversionFromPrevious: Float!
  conversionFromStart: Float!
  dropoffCount: Int!
  dropoffRate: Float!
  averageTimeFromPrevious: Float!
  averageTimeFromStart: Float!
}

type FunnelInsights {
  conversionRate: Float!
  dropoffRate: Float!
  bottleneckStep: String
  averageTime: Float!
  totalUsers: Int!
}

type Cohort {
  id: ID!
  name: String!
  description: String
  criteria: CohortCriteria!
  createdAt: String!
  updatedAt: String!
}

type CohortCriteria {
  type: CohortType!
  startDate: String
  endDate: String
  event: String
  component: String
  properties: JSON
}

type CohortSize { total: Int! active: Int! inactive: Int! }

type CohortRetention {
  cohortId: ID!
  cohortName: String!
  cohortSize: Int!
  periodType: PeriodType!
  startDate: String!
  periods: [RetentionPeriod!]!
  averageRetention: Float!
  lifetimeValue: Float
}

type RetentionPeriod {
  periodIndex: Int!
  periodLabel: String!
  retained: Int!
  retentionRate: Float!
  churnedCount: Int!
  churnRate: Float!
}

type CohortComparison {
  cohorts: [CohortSummary!]!
  bestPerforming: ID!
  worstPerforming: ID!
}

type CohortSummary {
  id: ID!
  name: String!
  size: Int!
  retentionRate: Float!
  churnRate: Float!
}

type AttributionResult {
  source: String!
  conversions: Int!
  totalValue: Float!
  averageValue: Float!
  attribution: AttributionBreakdown!
}

type AttributionBreakdown {
  firstTouch: Float!
  lastTouch: Float!
  linear: Float!
  timeDecay: Float!
  positionBased: Float!
}

type ConversionSummary {
  totalConversions: Int!
  uniqueConverters: Int!
  totalValue: Float!
  averageValue: Float!
}

type ConvertingPath {
  path: String!
  conversions: Int!
  totalValue: Float!
}

type Conversion {
  id: ID!
  userId: String!
  sessionId: String!
  event: String!
  value: Float
  timestamp: Float!
  metadata: JSON
}

type AttributionModelInfo {
  type: AttributionModel!
  description: String!
}

type TimeRangeOutput { start: String! end: String! }

"ISO 8601; an end without a time is the end of that day."
input TimeRange { start: String! end: String! }

"ISO 8601; an end without a time is the end of that day."
input TimeRangeInput { start: String! end: String! }

input CreateFunnelInput {
  name: String!
  description: String
  steps: [FunnelStepInput!]!
  flowId: String
}

input FunnelStepInput {
  name: String!
  event: String
  component: String
  orderIndex: Int!
}

input CreateCohortInput {
  name: String!
  description: String
  criteria: CohortCriteriaInput!
}

input CohortCriteriaInput {
  type: CohortType!
  startDate: String
  endDate: String
  event: String
  component: String
  properties: JSON
}

input TrackConversionInput {
  event: String!
  value: Float
  metadata: JSON
  "Who converted; the session where it is left out."
  userId: String
  sessionId: String
}
"""

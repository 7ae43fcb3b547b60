import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client/core";
import { key, run, url } from "./harness.mjs";

const open = (headers = { authorization: `Bearer ${key}` }, options = {}) =>
  new ApolloClient({ cache: new InMemoryCache(), link: new HttpLink({ uri: `${url}/graphql`, headers, fetch, ...options }) });

const FLOWS = gql`
  query Flows {
    flows(limit: 5) {
      id
      name
      steps
    }
  }
`;
const CREATE = gql`
  mutation Create($input: CreateFlowInput!) {
    createFlow(input: $input) {
      id
      name
      steps
      createdAt
    }
  }
`;

run({
  async queriesAndMutations() {
    const client = open();
    const steps = [{ id: "one", component: "Form" }];
    const made = await client.mutate({ mutation: CREATE, variables: { input: { name: "from Apollo", steps } } });
    const listed = await client.query({ query: FLOWS, fetchPolicy: "network-only" });
    const names = listed.data.flows.map((flow) => flow.name);
    return { typename: made.data.createFlow.__typename, steps: made.data.createFlow.steps, isListed: names.includes("from Apollo") };
  },
  async queriesByGet() {
    const client = open(undefined, { useGETForQueries: true });
    const { data } = await client.query({ query: gql`query Version($limit: Int) { version flows(limit: $limit) { id } }`, variables: { limit: 1 } });
    return { version: data.version, isList: Array.isArray(data.flows) };
  },
  async errors() {
    const result = await open().query({ query: gql`{ nothing }`, errorPolicy: "all" });
    const unauthorized = await open({}).query({ query: FLOWS, errorPolicy: "all" });
    return { name: result.error?.name, message: result.error?.message, unauthorized: unauthorized.error?.message };
  },
});

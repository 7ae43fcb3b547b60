import { Client, cacheExchange, fetchExchange, gql } from "@urql/core";
import { key, run, url } from "./harness.mjs";

const open = (options = {}) =>
  new Client({
    url: `${url}/graphql`,
    exchanges: [cacheExchange, fetchExchange],
    fetchOptions: { headers: { authorization: `Bearer ${key}` } },
    preferGetMethod: false,
    ...options,
  });
const QUERY = gql`
  query Me($limit: Int!) {
    me {
      email
    }
    flows(limit: $limit) {
      id
    }
  }
`;

run({
  async queries() {
    const posted = await open().query(QUERY, { limit: 1 }).toPromise();
    const got = await open({ preferGetMethod: "force" }).query(QUERY, { limit: 1 }).toPromise();
    return { email: posted.data?.me?.email, sameByGet: got.data?.me?.email === posted.data?.me?.email, error: posted.error?.message ?? null };
  },
  async errors() {
    const unknown = await open().query(gql`{ nothing }`, {}).toPromise();
    const variables = await open().query(QUERY, { limit: "x" }).toPromise();
    const anonymous = await open({ fetchOptions: {} }).query(QUERY, { limit: 1 }).toPromise();
    return { unknown: unknown.error?.message, variables: variables.error?.message, anonymous: anonymous.error?.message, status: anonymous.error?.response?.status };
  },
});

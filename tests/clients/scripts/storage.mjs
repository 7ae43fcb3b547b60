// A phone's storage, for the clients that were written for phones.

const items = new Map();

export default {
  getItem: async (name) => items.get(name) ?? null,
  setItem: async (name, value) => void items.set(name, value),
  removeItem: async (name) => void items.delete(name),
};

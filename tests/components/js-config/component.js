import { get, getAll } from 'wasi:config/store@0.2.0-draft';

export const getConfig = (key) => get(key);
export const allConfig = () => getAll();

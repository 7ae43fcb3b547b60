export default {}; // a target without handlers

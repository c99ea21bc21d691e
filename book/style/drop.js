if (typeof module !== "undefined") module.exports = {};
